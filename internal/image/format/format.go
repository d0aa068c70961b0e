// Package format holds the containers that image opens: one file and one directory of
// samples under testdata for each. A format is an [image.Format] value; [All] lists them.
//
// To add one: write name.go with the value, put samples into testdata/NAME, add a line to
// the list. A test fails by name when the samples are missing.
package format

import (
	"slices"

	"github.com/vesalius-project/vesalius/internal/image"
)

// all is in the order in which formats are tried at one place: file systems and partition
// tables before what may also match by chance.
var all = []*image.Format{
	ubi,
	squashfs,
	ubifs,
	jffs2,
	cramfs,
	romfs,
	yaffs2,
	erofs,
	ext,
	iso9660,
	fat,
	gpt,
	mbr,
	trx,
	bootimg,
	uimage,
	fit,
	dtb,
	ubootEnv,
	tar,
	cpio,
	ar,
	rpm,
	zip,
	sevenZip,
	gzipStream,
	bzip2Stream,
	xzStream,
	lzipStream,
	zstdStream,
	lz4Stream,
	lz4Legacy,
	lzopStream,
	lzmaStream,
	zlibStream,
	compressStream,
	cpioOld,
	tarV7,
	sparse,
	uf2,
	ihex,
	srec,
	dfu,
	elf,
	pe,
}

// All returns every format, in the order in which they are tried.
func All() []*image.Format { return slices.Clone(all) }
