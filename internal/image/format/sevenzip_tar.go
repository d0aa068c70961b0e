package format

import (
	stdtar "archive/tar"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"
)

// tarHeader is the entry of a file in a tar archive.
func (f *sevenFile) tarHeader() *stdtar.Header {
	h := &stdtar.Header{Name: f.name, Typeflag: stdtar.TypeReg, Mode: 0o644, Size: f.size, ModTime: time.Unix(f.mtime, 0), Format: stdtar.FormatPAX}
	dir := f.attrs&0x10 != 0 || f.empty && !f.file
	if f.attrs&0x8000 != 0 { // the mode of Unix lies above
		h.Mode = int64(f.attrs >> 16 & 0o7777)
		switch f.attrs >> 16 & 0o170000 {
		case 0o040000:
			dir = true
		case 0o120000:
			h.Typeflag = stdtar.TypeSymlink
		}
	} else if dir {
		h.Mode = 0o755
	}
	if dir {
		h.Typeflag, h.Size = stdtar.TypeDir, 0
		h.Name += "/"
	}
	return h
}

// write writes the archive as a tar archive.
func (a *sevenArchive) write(w io.Writer) error {
	t := stdtar.NewWriter(w)
	for _, f := range a.files {
		if f.empty {
			if err := t.WriteHeader(f.tarHeader()); err != nil {
				return err
			}
		}
	}
	var bad error
	for _, d := range a.folders {
		if d.refusal() != "" || len(d.files) == 0 {
			continue
		}
		s := &sevenSplit{t: t, files: d.files}
		err := s.skip()
		if err == nil {
			err = a.unpack(s, d)
		}
		if err == nil && len(s.files) > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		bad = errors.Join(bad, s.bad)
	}
	return errors.Join(t.Close(), bad)
}

// sevenSplit cuts the content of a folder into its files.
type sevenSplit struct {
	t     *stdtar.Writer
	files []*sevenFile // that are not yet written
	open  bool         // the first of them is being written
	left  int64
	link  []byte
	sum   uint32
	bad   error
}

// skip writes the files without content that come next.
func (s *sevenSplit) skip() error {
	for len(s.files) > 0 && s.files[0].size == 0 {
		if err := s.t.WriteHeader(s.files[0].tarHeader()); err != nil {
			return err
		}
		s.files = s.files[1:]
	}
	return nil
}

func (s *sevenSplit) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		if len(s.files) == 0 {
			return 0, errors.New("more bytes than the files have")
		}
		f := s.files[0]
		h := f.tarHeader()
		link := h.Typeflag == stdtar.TypeSymlink
		if !s.open {
			s.open, s.left, s.sum, s.link = true, f.size, 0, nil
			if link && f.size > maxPath || h.Typeflag == stdtar.TypeDir {
				return 0, fmt.Errorf("%q: a link or directory with %d bytes", f.name, f.size)
			}
			if !link {
				if err := s.t.WriteHeader(h); err != nil {
					return 0, err
				}
			}
		}
		n := min(int64(len(p)), s.left)
		s.sum = crc32.Update(s.sum, crc32.IEEETable, p[:n])
		if link {
			s.link = append(s.link, p[:n]...)
		} else if _, err := s.t.Write(p[:n]); err != nil {
			return 0, err
		}
		p = p[n:]
		if s.left -= n; s.left > 0 {
			continue
		}
		if link {
			h.Linkname, h.Size = string(s.link), 0
			if err := s.t.WriteHeader(h); err != nil {
				return 0, err
			}
		}
		if f.hasSum && s.sum != f.sum && s.bad == nil {
			s.bad = fmt.Errorf("%q: wrong checksum", f.name)
		}
		s.open, s.files = false, s.files[1:]
		if err := s.skip(); err != nil {
			return 0, err
		}
	}
	return total, nil
}
