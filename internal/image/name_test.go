package image

import "testing"

// TestFirmwareName holds which files of a root are searched for what lies behind their
// start.
func TestFirmwareName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"radio.bin": true, "app.HEX": true, "boot.srec": true, "pump.uf2": true, "system.simg": true, "root.jffs2": true, "data.ubifs": true,
		"uImage": true, "initramfs.cpio": true, "initrd.c": false, "busybox": false, "hexdump": false, "index.html": false,
	} {
		if have := firmwareName(name); have != want {
			t.Errorf("%s: %v, want %v", name, have, want)
		}
	}
}
