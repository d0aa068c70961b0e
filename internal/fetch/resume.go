package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// begun says what an unfinished file is the beginning of. It lies beside it.
type begun struct {
	URL     string  `json:"url"`
	Version Version `json:"version"`
	Total   int64   `json:"total"` // -1 where the server did not say
}

// File gets a file. It grows in PATH.part, where a later call goes on if the server still
// has the same file, and has the name PATH only when it is whole and verified. Beside it
// lies PATH.part.json until then.
func (c *Client) File(ctx context.Context, r Request, path string) (Answer, error) {
	var out Answer
	err := c.retry(ctx, r, func(ctx context.Context) (int64, error) {
		var n int64
		var err error
		out, n, err = c.file(ctx, r, path)
		return n, err
	})
	return out, err
}

func (c *Client) file(ctx context.Context, r Request, path string) (Answer, int64, error) {
	part, note := path+".part", path+".part.json"
	header := map[string]string{"Accept-Encoding": "identity"}
	have, from := c.beginning(r, part, note)
	ask := r
	if have > 0 {
		header["Range"] = "bytes=" + strconv.FormatInt(have, 10) + "-"
		if v := from.Version.strong(); v != "" {
			header["If-Range"] = v
		}
		ask.Known = Version{} // half of the new file is here already
	}
	res, err := c.send(ctx, ask, header, http.StatusOK, http.StatusPartialContent, http.StatusRequestedRangeNotSatisfiable)
	if err != nil {
		return Answer{}, have, err
	}
	defer func() { _ = res.Body.Close() }()
	out := Answer{Version: versionOf(res)}
	switch res.StatusCode {
	case http.StatusNotModified:
		out.Version, out.Unchanged = r.Known, true
		return out, 0, nil
	case http.StatusRequestedRangeNotSatisfiable:
		if have == 0 || from.Total != have {
			return out, 0, errors.Join(fmt.Errorf("%s: what is here is not a beginning of it any more", r.URL), discard(part, note))
		}
		out.Version = from.Version // it was whole, and only its last step is missing
	case http.StatusPartialContent:
		start, total, ok := contentRange(res.Header.Get("Content-Range"))
		if !ok || have == 0 || start != have || from.Total >= 0 && total >= 0 && total != from.Total {
			return out, 0, errors.Join(fmt.Errorf("%s: answers with another part than was asked for: %q", r.URL, res.Header.Get("Content-Range")), discard(part, note))
		}
		out.Resumed = have
		if n, err := c.save(ctx, r, res, part, have); err != nil {
			return out, n, err
		}
	default:
		if err := writeNote(note, begun{URL: r.URL, Version: out.Version, Total: res.ContentLength}); err != nil {
			return out, 0, finalError{err}
		}
		if n, err := c.save(ctx, r, res, part, 0); err != nil {
			return out, n, err
		}
	}
	return finish(out, r, path)
}

// beginning finds what an earlier try left that can be gone on with.
func (c *Client) beginning(r Request, part, note string) (int64, begun) {
	var b begun
	info, err := os.Stat(part)
	if err != nil || info.Size() == 0 || info.Size() > r.Limit {
		return 0, b
	}
	data, err := os.ReadFile(note)
	if err != nil || json.Unmarshal(data, &b) != nil || b.URL != r.URL || b.Total >= 0 && info.Size() > b.Total {
		return 0, b
	}
	if b.Version.strong() == "" && r.SHA256 == "" && r.SHA512 == "" {
		return 0, b // two halves of different files could not be told from a whole one
	}
	return info.Size(), b
}

// strong is what If-Range may ask for.
func (v Version) strong() string {
	if v.ETag != "" && !strings.HasPrefix(v.ETag, "W/") {
		return v.ETag
	}
	return v.Modified
}

// contentRange reads "bytes 100-199/200"; the total is -1 where it is "*".
func contentRange(s string) (start, total int64, ok bool) {
	s, found := strings.CutPrefix(s, "bytes ")
	span, whole, slash := strings.Cut(s, "/")
	first, last, dash := strings.Cut(span, "-")
	start, err1 := strconv.ParseInt(first, 10, 64)
	end, err2 := strconv.ParseInt(last, 10, 64)
	total = -1
	var err3 error
	if whole != "*" {
		total, err3 = strconv.ParseInt(whole, 10, 64)
	}
	ok = found && slash && dash && err1 == nil && err2 == nil && err3 == nil && start >= 0 && end >= start && (total < 0 || end < total)
	return start, total, ok
}

// save appends the body to the part, which holds from bytes, or is begun anew.
func (c *Client) save(ctx context.Context, r Request, res *http.Response, part string, from int64) (int64, error) {
	flags := os.O_WRONLY | os.O_CREATE
	if from == 0 {
		flags |= os.O_TRUNC
	} else {
		flags |= os.O_APPEND
	}
	f, err := os.OpenFile(part, flags, 0o600)
	if err != nil {
		return 0, finalError{err}
	}
	n, err := c.body(ctx, r, res, f, from, false)
	return n, errors.Join(err, f.Close())
}

// finish verifies the part and gives it its name.
func finish(out Answer, r Request, path string) (Answer, int64, error) {
	part, note := path+".part", path+".part.json"
	f, err := os.Open(part)
	if err != nil {
		return out, 0, finalError{err}
	}
	defer f.Close()
	if out.SHA256, err = verify(f, r); err != nil {
		err = fmt.Errorf("%s: %w", r.URL, err)
		if out.Resumed == 0 {
			err = finalError{err}
		}
		return out, 0, errors.Join(err, discard(part, note))
	}
	if out.Size, err = f.Seek(0, io.SeekEnd); err != nil {
		return out, 0, finalError{err}
	}
	if err := f.Sync(); err != nil {
		return out, 0, finalError{err}
	}
	f.Close()
	if err := os.Rename(part, path); err != nil {
		return out, 0, finalError{err}
	}
	if err := discard(note); err != nil {
		return out, 0, finalError{err}
	}
	return out, out.Size, nil
}

func discard(paths ...string) error {
	for _, p := range paths {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return finalError{err}
		}
	}
	return nil
}

func writeNote(path string, b begun) error {
	data, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
