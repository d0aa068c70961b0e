//go:build unix

package image

import (
	"io/fs"
	"runtime"
	"syscall"
)

// owner fills in what only Unix knows of a file, and returns what identifies its content
// and how many names it has.
func owner(info fs.FileInfo, n *Node) (id [2]uint64, links uint64) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return id, 1
	}
	n.UID, n.GID = int(st.Uid), int(st.Gid)
	if runtime.GOOS == "linux" {
		dev := uint64(st.Rdev)
		n.Major, n.Minor = uint32(dev>>8&0xfff|dev>>32&^0xfff), uint32(dev&0xff|dev>>12&^0xff)
	}
	return [2]uint64{uint64(st.Dev), st.Ino}, uint64(st.Nlink)
}
