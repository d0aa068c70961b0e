package firmware

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

// withoutPlaces writes a fact without its places.
func withoutPlaces(t *testing.T, f fact.Fact) string {
	t.Helper()
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	delete(m, "places")
	delete(m, "source")
	if b, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestReplicaBoot holds what the flash of a pump shows of its start: the boot loader, its
// environment and the kernel lie beside the root file system.
func TestReplicaBoot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fixed bool
		want  []string
	}{
		{false, []string{
			`{"command":"sf probe; sf read 0x82000000 0x60000 0x200000; bootm 0x82000000","command_line":"console=ttyS0,115200 root=/dev/mtdblock4 rootfstype=squashfs","console":"ttyS0,115200","console_login":true,"delay":3,"interactive":true,"loader":"u-boot","network":false,"removable":false,"root":"system","root_shell":false,"signed":false,"verified":false,"verity":false,"version":"2022.04"}`,
			`{"arch":"arm","build":"#1 SMP Fri Mar 1 00:00:00 UTC 2024","compiler":"arm-linux-gnu-gcc 12.3.0, GNU ld 2.40","modules":[],"name":"linux","release":"5.15.148","root":"system","version":"5.15.148"}`,
		}},
		{true, []string{
			`{"command":"sf probe; sf read 0x82000000 0x60000 0x200000; bootm 0x82000000","command_line":"console=null root=/dev/mtdblock4 rootfstype=squashfs","console":"null","delay":-2,"interactive":false,"loader":"u-boot","network":false,"removable":false,"root":"system","root_shell":false,"signed":false,"verified":false,"verity":false,"version":"2022.04"}`,
			`{"arch":"arm","build":"#1 SMP Fri Mar 1 00:00:00 UTC 2024","compiler":"arm-linux-gnu-gcc 12.3.0, GNU ld 2.40","modules":[],"name":"linux","release":"5.15.148","root":"system","version":"5.15.148"}`,
		}},
	} {
		res := replica(t, "pump", c.fixed)
		var got []string
		for _, k := range []fact.Kind{fact.KindBoot, fact.KindKernel} {
			for _, f := range res.Facts.Of(k) {
				got = append(got, withoutPlaces(t, f))
			}
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("fixed %v: want -, have +\n%s", c.fixed, d)
		}
	}
}

// TestEnvironment holds what the variables of U-Boot say.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		vars map[string]string
		want string
	}{
		{map[string]string{"bootdelay": "0"}, `{"delay":0,"interactive":true,"loader":"u-boot"}`},
		{map[string]string{"bootdelay": "-2", "bootstopkeysha256": "abc"}, `{"delay":-2,"interactive":false,"loader":"u-boot","password":true}`},
		{map[string]string{"bootcmd": "run try; reset", "try": "usb start; fatload usb 0 ${loadaddr} uImage; bootm"},
			`{"command":"run try; reset","loader":"u-boot","network":false,"removable":true}`},
		{map[string]string{"bootcmd": "run distro_bootcmd", "distro_bootcmd": "for target in ${boot_targets}; do run bootcmd_${target}; done", "boot_targets": "mmc0 pxe", "bootcmd_pxe": "dhcp; pxe get", "bootcmd_usb0": "usb start"},
			`{"command":"run distro_bootcmd","loader":"u-boot","network":true,"removable":false}`},
		{map[string]string{"bootcmd": "setenv bootargs console=${console} root=/dev/mmcblk0p2 password=hunter2hunter; bootm", "console": "ttymxc0,115200", "unused": "tftp x"},
			`{"command":"setenv bootargs console=${console} root=/dev/mmcblk0p2 password=h***r; bootm","command_line":"console=ttymxc0,115200 root=/dev/mmcblk0p2 password=h***r","loader":"u-boot","network":false,"removable":false}`},
		{map[string]string{"bootcmd": "hab_auth_img ${loadaddr} ${size}; bootm"}, `{"command":"hab_auth_img ${loadaddr} ${size}; bootm","loader":"u-boot","network":false,"removable":false,"verified":true}`},
	} {
		f := &fact.Boot{Loader: "u-boot"}
		environment(f, c.vars)
		if d := cmp.Diff(c.want, withoutPlaces(t, f)); d != "" {
			t.Errorf("%v: want -, have +\n%s", c.vars, d)
		}
	}
}

// TestConsoleShell tells shells from what only names one.
func TestConsoleShell(t *testing.T) {
	t.Parallel()
	for command, want := range map[string]bool{
		"/bin/sh": true, "-/bin/sh": true, "-/bin/ash": true, "/bin/ash --login": true, "/bin/bash -l": true,
		"/etc/init.d/rcS": false, "/bin/sh -c /etc/rc": false, "/sbin/getty -L ttyS0 115200 vt100": false, "/usr/bin/pumpd": false, "/bin/sh /etc/start.sh": false, "": false,
	} {
		if got := consoleShell(command); got != want {
			t.Errorf("%q: got %v", command, got)
		}
	}
}

// TestBanners holds which texts are banners, and what a boot loader and a kernel carry.
func TestBanners(t *testing.T) {
	t.Parallel()
	pad := bytes.Repeat([]byte{0xff, 0}, 40)
	for text, want := range map[string]string{
		"Linux version 4.14.98 (b@h) (gcc version 7.3.0) #1 SMP": "linux",
		"Linux version %s (b@h)":                                 "",
		"U-Boot 2019.04-rc1 (Jan 01 2020 - 10:00:00)":            "u-boot",
		"the U-Boot 2019 manual":                                 "",
		"VxWorks 6.9 SMP":                                        "vxworks",
		"not for VxWorks targets":                                "",
		"FreeRTOS Kernel V10.4.3":                                "freertos",
		"FreeRTOS heap":                                          "",
	} {
		got := ""
		if b := traceOf(t, slices.Concat(pad, []byte(text), pad)).Banners; len(b) == 1 {
			got = b[0].What
		}
		if got != want {
			t.Errorf("%q: got %q", text, got)
		}
	}
	env := traceOf(t, slices.Concat(pad, []byte("U-Boot 2019.04 (x)\x00"), pad, []byte("\x00\x00bootcmd=run a\x00bootdelay=3\x00baudrate=9600\x00\x00"), pad)).Environment
	if d := cmp.Diff(map[string]string{"bootcmd": "run a", "bootdelay": "3", "baudrate": "9600"}, env); d != "" {
		t.Error(d)
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write([]byte("CONFIG_STRICT_DEVMEM=y\n# CONFIG_DEVKMEM is not set\nCONFIG_HZ=100\nCONFIG_LSM=\"yama,apparmor\"\n")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	config := traceOf(t, slices.Concat(pad, []byte("IKCFG_ST"), z.Bytes(), pad)).Config
	if d := cmp.Diff(map[string]string{"CONFIG_STRICT_DEVMEM": "y", "CONFIG_DEVKMEM": "n", "CONFIG_HZ": "100", "CONFIG_LSM": "yama,apparmor"}, config); d != "" {
		t.Error(d)
	}
}

// TestForeign holds that a system that is no Unix says so, and that nothing is said to be
// seen that such a system hides.
func TestForeign(t *testing.T) {
	t.Parallel()
	data := slices.Concat(bytes.Repeat([]byte{0x12, 0x34, 0x56}, 5000), []byte("\x00VxWorks 6.9.4.1 SMP\x00"), bytes.Repeat([]byte{0x77, 0x12}, 3000))
	res, err := Examine(t.Context(), Input{Name: "pump.bin", Blob: image.BytesBlob(data)}, Options{Image: image.Options{Budget: budget.New(budget.Limits{})}})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Facts.Kernel) != 1 || res.Facts.Kernel[0].Name != "vxworks" || res.Facts.Kernel[0].Version != "6.9.4.1" || len(res.Facts.Device) != 1 || res.Facts.Device[0].OS != "vxworks" {
		t.Errorf("got %+v, %+v", res.Facts.Kernel, res.Facts.Device)
	}
	for _, c := range res.Coverage {
		if c.Kind == fact.KindService && c.Level != "none" {
			t.Errorf("services are seen %s", c.Level)
		}
	}
}
