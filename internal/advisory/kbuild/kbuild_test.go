package kbuild

import (
	"strings"
	"testing"
)

func TestAbsent(t *testing.T) {
	t.Parallel()
	table, err := Linux()
	if err != nil {
		t.Fatal(err)
	}
	if len(table.dirs) < 1500 {
		t.Fatalf("only %d directories", len(table.dirs))
	}
	options := map[string]string{"NET": "y", "INET": "y", "IP_SCTP": "m", "NTFS3_FS": "n", "BLOCK": "y", "EXT4_FS": "y", "WLAN": "y", "WLAN_VENDOR_ATH": "n", "BPF": "y", "BPF_SYSCALL": "y", "USB": "m", "USB_SUPPORT": "y"}
	for _, c := range []struct {
		name, version string
		files         []string
		modules       map[string]bool
		arches        []string
		noOptions     bool
		want          string // the beginning of the reason; "" where it may be there
	}{
		{name: "not set", version: "6.1.176", files: []string{"fs/ntfs3/attrib.c"}, want: "fs/ntfs3/attrib.c needs CONFIG_NTFS3_FS, which is not set"},
		{name: "not set, of another release", version: "5.15.1", files: []string{"fs/ntfs3/attrib.c"}, want: "fs/ntfs3/attrib.c needs CONFIG_NTFS3_FS"},
		{name: "built in", version: "6.1.176", files: []string{"fs/ext4/inode.c"}},
		{name: "a directory above is not set", version: "5.10.1", files: []string{"drivers/net/wireless/ath/ath9k/beacon.c"}, want: "drivers/net/wireless/ath/ath9k/beacon.c needs CONFIG_WLAN_VENDOR_ATH, which is not set"},
		{name: "not mentioned in this release", version: "6.1.9", files: []string{"fs/xfs/xfs_inode.c"}, want: "fs/xfs/xfs_inode.c needs CONFIG_XFS_FS, which the configuration does not have"},
		{name: "not mentioned in another release", version: "4.19.9", files: []string{"fs/xfs/xfs_inode.c"}},
		{name: "module that is not in the image", version: "6.1.9", files: []string{"net/sctp/socket.c"}, modules: map[string]bool{"usbcore": true}, want: "net/sctp/socket.c is in the module sctp, which is not in the image"},
		{name: "module in the image", version: "6.1.9", files: []string{"net/sctp/socket.c"}, modules: map[string]bool{"sctp": true}},
		{name: "modules not known", version: "6.1.9", files: []string{"net/sctp/socket.c"}},
		{name: "one file may be there", version: "6.1.9", files: []string{"fs/ntfs3/attrib.c", "fs/ext4/inode.c"}},
		{name: "a header beside it", version: "6.1.9", files: []string{"fs/ntfs3/attrib.c", "include/linux/fs.h"}, want: "fs/ntfs3/attrib.c"},
		{name: "a header alone", version: "6.1.9", files: []string{"include/linux/fs.h"}},
		{name: "always there", version: "6.1.9", files: []string{"kernel/fork.c"}},
		{name: "another processor", version: "6.1.9", files: []string{"arch/x86/kvm/mmu.c"}, arches: []string{"arm64"}, noOptions: true, want: "arch/x86/kvm/mmu.c is for another processor than arm64"},
		{name: "this processor", version: "6.1.9", files: []string{"arch/x86/kernel/process.c"}, arches: []string{"x86_64"}, noOptions: true},
		{name: "a processor that is not known", version: "6.1.9", files: []string{"arch/x86/kvm/mmu.c"}, arches: []string{"strange"}, noOptions: true},
		{name: "no configuration", version: "6.1.9", files: []string{"fs/ntfs3/attrib.c"}, noOptions: true},
		{name: "no file of the kernel", version: "6.1.9", files: []string{"nowhere/x.c"}},
		{name: "climbing", version: "6.1.9", files: []string{"../../fs/ntfs3/attrib.c"}},
		{name: "nothing", version: "6.1.9"},
	} {
		k := &Kernel{Version: c.version, Arches: c.arches, Options: options, Modules: c.modules}
		if c.noOptions {
			k.Options = nil
		}
		absent, why := table.Absent(c.files, k)
		if absent != (c.want != "") || !strings.HasPrefix(strings.Join(why, ";"), c.want) {
			t.Errorf("%s: %v, %q, want %q", c.name, absent, why, c.want)
		}
	}
}

// What asks for nothing is never said to be absent, whatever the configuration.
func TestNeverMore(t *testing.T) {
	t.Parallel()
	table, err := Linux()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, d := range table.dirs {
		for line := range strings.Lines(d.ways + "|" + d.files) {
			for _, w := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune("|& \n", r) }) {
				_, after, ok := strings.Cut(w, ":")
				if !ok {
					after = w
				}
				all[after] = "y"
			}
		}
	}
	k := &Kernel{Version: "6.1.1", Options: all, Modules: map[string]bool{}}
	for dir, d := range table.dirs {
		for line := range strings.Lines(d.files) {
			f, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			if absent, why := table.Absent([]string{dir + "/" + f + ".c"}, k); absent {
				t.Fatalf("%s/%s: %v, with every option set", dir, f, why)
			}
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("linux 6.1\nfs/ A&B|C\n x m:D|E\n inode y\nfs/ext4/ E\n", "fs/inode.c")
	f.Add("linux 6.1\nfs/ y\n x", "fs/x.c")
	f.Fuzz(func(t *testing.T, text, file string) {
		table, err := parse(text)
		if err != nil {
			return
		}
		table.Absent([]string{file}, &Kernel{Version: "6.1", Options: map[string]string{"A": "n"}, Modules: map[string]bool{}})
	})
}

func BenchmarkRead(b *testing.B) {
	for b.Loop() {
		if _, err := read(packed); err != nil {
			b.Fatal(err)
		}
	}
}
