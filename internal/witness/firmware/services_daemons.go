package firmware

import (
	"path"
	"strings"
)

// daemonKind is what is known of a daemon by the name it is invoked by. Those without a
// protocol stay and listen on nothing that a network reaches.
type daemonKind struct {
	product   string // empty: the name
	protocol  string
	transport string
	port      int
	shell     bool // whoever it lets in gets a shell or runs commands
}

// daemonKinds by the names of their programs. Daemons whose settings are known are described in
// internal/setting/daemon as well: what follows from their settings is not said here.
var daemonKinds = map[string]daemonKind{
	// Remote shells and transfer.
	"telnetd": {"telnetd", "telnet", "tcp", 23, true}, "in.telnetd": {"telnetd", "telnet", "tcp", 23, true}, "utelnetd": {"telnetd", "telnet", "tcp", 23, true},
	"sshd": {"sshd", "ssh", "tcp", 22, true}, "dropbear": {"dropbear", "ssh", "tcp", 22, true}, "tinysshd": {"tinyssh", "ssh", "tcp", 22, true},
	"rlogind": {"rlogind", "rlogin", "tcp", 513, true}, "in.rlogind": {"rlogind", "rlogin", "tcp", 513, true}, "rshd": {"rshd", "rsh", "tcp", 514, true}, "in.rshd": {"rshd", "rsh", "tcp", 514, true},
	"rexecd": {"rexecd", "rexec", "tcp", 512, true}, "in.rexecd": {"rexecd", "rexec", "tcp", 512, true},
	"adbd": {"adbd", "adb", "tcp", 5555, true}, "gdbserver": {"gdbserver", "gdb", "tcp", 0, true}, "lldb-server": {"lldb-server", "gdb", "tcp", 0, true}, "tcf-agent": {"tcf-agent", "tcf", "tcp", 1534, true},
	"ftpd": {"ftpd", "ftp", "tcp", 21, false}, "in.ftpd": {"ftpd", "ftp", "tcp", 21, false}, "vsftpd": {"vsftpd", "ftp", "tcp", 21, false}, "proftpd": {"proftpd", "ftp", "tcp", 21, false},
	"pure-ftpd": {"pure-ftpd", "ftp", "tcp", 21, false}, "bftpd": {"bftpd", "ftp", "tcp", 21, false}, "stupid-ftpd": {"stupid-ftpd", "ftp", "tcp", 21, false}, "uftpd": {"uftpd", "ftp", "tcp", 21, false},
	"tftpd": {"tftpd", "tftp", "udp", 69, false}, "in.tftpd": {"tftpd", "tftp", "udp", 69, false}, "atftpd": {"tftpd", "tftp", "udp", 69, false}, "opentftpd": {"tftpd", "tftp", "udp", 69, false},
	"fingerd": {"fingerd", "finger", "tcp", 79, false}, "in.fingerd": {"fingerd", "finger", "tcp", 79, false}, "ser2net": {"ser2net", "serial", "tcp", 0, false}, "shellinaboxd": {"shellinabox", "http", "tcp", 4200, true},
	"ttyd": {"ttyd", "http", "tcp", 7681, true}, "gotty": {"gotty", "http", "tcp", 8080, true}, "rsyncd": {"rsync", "rsync", "tcp", 873, false},
	// The web.
	"httpd": {"httpd", "http", "tcp", 80, false}, "apache2": {"apache", "http", "tcp", 80, false}, "nginx": {"nginx", "http", "tcp", 80, false}, "lighttpd": {"lighttpd", "http", "tcp", 80, false},
	"uhttpd": {"uhttpd", "http", "tcp", 80, false}, "boa": {"boa", "http", "tcp", 80, false}, "thttpd": {"thttpd", "http", "tcp", 80, false}, "mini_httpd": {"mini_httpd", "http", "tcp", 80, false},
	"goahead": {"goahead", "http", "tcp", 80, false}, "webs": {"goahead", "http", "tcp", 80, false}, "appweb": {"appweb", "http", "tcp", 80, false}, "monkey": {"monkey", "http", "tcp", 2001, false},
	"cherokee": {"cherokee", "http", "tcp", 80, false}, "hiawatha": {"hiawatha", "http", "tcp", 80, false}, "darkhttpd": {"darkhttpd", "http", "tcp", 80, false}, "caddy": {"caddy", "https", "tcp", 443, false},
	"haproxy": {"haproxy", "http", "tcp", 0, false}, "squid": {"squid", "http-proxy", "tcp", 3128, false}, "tinyproxy": {"tinyproxy", "http-proxy", "tcp", 8888, false}, "privoxy": {"privoxy", "http-proxy", "tcp", 8118, false},
	"cockpit-ws": {"cockpit", "https", "tcp", 9090, true}, "webmin": {"webmin", "https", "tcp", 10000, true},
	// Screens.
	"x11vnc": {"x11vnc", "vnc", "tcp", 5900, true}, "Xvnc": {"xvnc", "vnc", "tcp", 5900, true}, "vncserver": {"xvnc", "vnc", "tcp", 5901, true}, "x0vncserver": {"xvnc", "vnc", "tcp", 5900, true},
	"framebuffer-vncserver": {"framebuffer-vncserver", "vnc", "tcp", 5900, true}, "fbvncserver": {"framebuffer-vncserver", "vnc", "tcp", 5900, true}, "wayvnc": {"wayvnc", "vnc", "tcp", 5900, true},
	"xrdp": {"xrdp", "rdp", "tcp", 3389, true}, "Xorg": {"xorg", "", "", 0, false}, "X": {"xorg", "", "", 0, false}, "weston": {"weston", "", "", 0, false},
	// Messages, files, data.
	"mosquitto": {"mosquitto", "mqtt", "tcp", 1883, false}, "emqx": {"emqx", "mqtt", "tcp", 1883, false}, "rabbitmq-server": {"rabbitmq", "amqp", "tcp", 5672, false}, "nats-server": {"nats", "nats", "tcp", 4222, false},
	"smbd": {"samba", "smb", "tcp", 445, false}, "nmbd": {"nmbd", "netbios", "udp", 137, false}, "winbindd": {"winbindd", "", "", 0, false}, "ksmbd.mountd": {"ksmbd", "smb", "tcp", 445, false}, "wsdd": {"wsdd", "wsd", "udp", 3702, false},
	"rpc.nfsd": {"nfs", "nfs", "tcp", 2049, false}, "nfsd": {"nfs", "nfs", "tcp", 2049, false}, "rpc.mountd": {"mountd", "nfs-mount", "tcp", 0, false}, "rpcbind": {"rpcbind", "rpcbind", "tcp", 111, false}, "portmap": {"rpcbind", "rpcbind", "tcp", 111, false}, "rpc.statd": {"statd", "rpc", "tcp", 0, false}, "unfsd": {"nfs", "nfs", "tcp", 2049, false},
	"snmpd": {"snmpd", "snmp", "udp", 161, false}, "snmptrapd": {"snmptrapd", "snmp-trap", "udp", 162, false}, "mini_snmpd": {"mini-snmpd", "snmp", "udp", 161, false},
	"mysqld": {"mysql", "mysql", "tcp", 3306, false}, "mariadbd": {"mysql", "mysql", "tcp", 3306, false}, "postgres": {"postgresql", "postgresql", "tcp", 5432, false}, "redis-server": {"redis", "redis", "tcp", 6379, false},
	"mongod": {"mongodb", "mongodb", "tcp", 27017, false}, "memcached": {"memcached", "memcached", "tcp", 11211, false}, "slapd": {"openldap", "ldap", "tcp", 389, false}, "influxd": {"influxdb", "http", "tcp", 8086, false},
	"etcd": {"etcd", "http", "tcp", 2379, false}, "firebird": {"firebird", "firebird", "tcp", 3050, false}, "couchdb": {"couchdb", "http", "tcp", 5984, false},
	// The clinic.
	"Orthanc": {"orthanc", "dicom", "tcp", 4242, false}, "orthanc": {"orthanc", "dicom", "tcp", 4242, false}, "storescp": {"storescp", "dicom", "tcp", 0, false}, "dcmqrscp": {"dcmqrscp", "dicom", "tcp", 104, false},
	"wlmscpfs": {"wlmscpfs", "dicom", "tcp", 0, false}, "dcmrecv": {"dcmrecv", "dicom", "tcp", 0, false}, "mirthconnect": {"mirth", "hl7", "tcp", 6661, false}, "mcserver": {"mirth", "https", "tcp", 8443, false},
	// Discovery, names, addresses, time.
	"avahi-daemon": {"avahi", "mdns", "udp", 5353, false}, "mdnsd": {"mdnsd", "mdns", "udp", 5353, false}, "umdns": {"umdns", "mdns", "udp", 5353, false}, "minissdpd": {"minissdpd", "ssdp", "udp", 1900, false}, "miniupnpd": {"miniupnpd", "upnp", "udp", 1900, false}, "upnpd": {"upnpd", "upnp", "udp", 1900, false}, "minidlna": {"minidlna", "http", "tcp", 8200, false}, "minidlnad": {"minidlna", "http", "tcp", 8200, false},
	"dnsmasq": {"dnsmasq", "dns", "udp", 53, false}, "named": {"bind", "dns", "udp", 53, false}, "unbound": {"unbound", "dns", "udp", 53, false}, "dnsd": {"dnsd", "dns", "udp", 53, false}, "dhcpd": {"dhcpd", "dhcp", "udp", 67, false}, "udhcpd": {"udhcpd", "dhcp", "udp", 67, false}, "odhcpd": {"odhcpd", "dhcpv6", "udp", 547, false},
	"cupsd": {"cups", "ipp", "tcp", 631, false}, "p910nd": {"p910nd", "jetdirect", "tcp", 9100, false}, "lpd": {"lpd", "lpd", "tcp", 515, false}, "asterisk": {"asterisk", "sip", "udp", 5060, false},
	"iperf": {"iperf", "iperf", "tcp", 5001, false}, "iperf3": {"iperf3", "iperf", "tcp", 5201, false}, "exim4": {"exim", "smtp", "tcp", 25, false}, "master": {"postfix", "smtp", "tcp", 25, false}, "sendmail": {"sendmail", "smtp", "tcp", 25, false}, "dovecot": {"dovecot", "imap", "tcp", 143, false},
	"openvpn": {"openvpn", "openvpn", "udp", 1194, false}, "xl2tpd": {"xl2tpd", "l2tp", "udp", 1701, false}, "pptpd": {"pptpd", "pptp", "tcp", 1723, false}, "charon": {"strongswan", "ike", "udp", 500, false}, "racoon": {"racoon", "ike", "udp", 500, false}, "stunnel": {"stunnel", "tls", "tcp", 0, false}, "stunnel4": {"stunnel", "tls", "tcp", 0, false},
	"node_exporter": {"node_exporter", "http", "tcp", 9100, false}, "telegraf": {"telegraf", "", "", 0, false}, "collectd": {"collectd", "", "", 0, false}, "zabbix_agentd": {"zabbix", "zabbix", "tcp", 10050, true}, "nrpe": {"nrpe", "nrpe", "tcp", 5666, true}, "munin-node": {"munin", "munin", "tcp", 4949, false}, "cwmpd": {"cwmpd", "tr069", "tcp", 7547, false}, "tr069": {"tr069", "tr069", "tcp", 7547, false},
	"rsyncd-standalone": {"rsync", "rsync", "tcp", 873, false}, "pyftpdlib": {"pyftpdlib", "ftp", "tcp", 2121, false}, "dockerd": {"docker", "docker", "unix", 0, true}, "containerd": {"containerd", "", "", 0, false}, "kubelet": {"kubelet", "https", "tcp", 10250, true},
	// What stays and serves no network.
	"syslogd": {}, "klogd": {}, "rsyslogd": {}, "syslog-ng": {}, "metalog": {}, "crond": {}, "cron": {}, "atd": {}, "anacron": {}, "ntpd": {}, "chronyd": {}, "openntpd": {}, "sntp": {}, "ptp4l": {}, "phc2sys": {}, "gpsd": {},
	"udevd": {}, "systemd-udevd": {}, "eudevd": {}, "ueventd": {}, "dbus-daemon": {}, "dbus-broker-launch": {}, "acpid": {}, "watchdog": {}, "haveged": {}, "rngd": {}, "irqbalance": {}, "thermald": {}, "smartd": {}, "mdadm": {}, "lvmetad": {}, "multipathd": {},
	"wpa_supplicant": {}, "hostapd": {}, "iwd": {}, "udhcpc": {}, "dhclient": {}, "dhcpcd": {}, "odhcp6c": {}, "connmand": {}, "NetworkManager": {}, "ModemManager": {}, "netifd": {}, "bluetoothd": {}, "ofonod": {}, "pppd": {}, "ifplugd": {}, "netplugd": {}, "bird": {}, "zebra": {},
	"inetd": {}, "xinetd": {}, "tcpsvd": {}, "udpsvd": {}, "supervisord": {}, "runsvdir": {}, "s6-svscan": {}, "monit": {}, "fail2ban-server": {}, "auditd": {}, "polkitd": {}, "rpcd": {}, "ubusd": {}, "logd": {}, "procd": {}, "auto-update": {},
	"pulseaudio": {}, "pipewire": {}, "lightdm": {}, "gdm3": {}, "sddm": {}, "nodm": {}, "systemd-journald": {}, "systemd-logind": {}, "systemd-networkd": {}, "systemd-resolved": {}, "systemd-timesyncd": {}, "journald": {}, "swupdate": {}, "mender": {}, "rauc": {}, "fwupd": {},
}

// daemonOf returns what is known of a program by the base name it is invoked by.
func daemonOf(name string) (daemonKind, bool) {
	d, ok := daemonKinds[name]
	if !ok {
		// lighttpd-angel, nginx-debug, php-fpm8.2: only those whose stem is a daemon.
		switch {
		case strings.HasPrefix(name, "php-fpm") || strings.HasPrefix(name, "php") && strings.HasSuffix(name, "-fpm"):
			return daemonKind{"php-fpm", "fastcgi", "unix", 0, false}, true
		case strings.HasPrefix(name, "dropbear-") || strings.HasPrefix(name, "nginx-") || strings.HasPrefix(name, "telnetd-") || strings.HasPrefix(name, "telnetd."):
			d, ok = daemonKinds[strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '.' })[0]]
		}
	}
	if ok && d.product == "" {
		d.product = name
	}
	return d, ok
}

// kindOf returns what is known of a command by its program and its words.
func kindOf(words []string) (daemonKind, bool) {
	name := path.Base(words[0])
	if name == "rsync" {
		for _, w := range words[1:] {
			if w == "--daemon" {
				return daemonKind{"rsync", "rsync", "tcp", 873, false}, true
			}
		}
	}
	return daemonOf(name)
}

// passing are programs that do something and end, or that serve the one who started them:
// however they are started, they are no services.
var passing = words(`sleep cat echo printf logger tail head dd cp mv rm ln mkdir rmdir touch chmod chown sh bash ash dash true false test sync mount umount swapon swapoff mountpoint
	ifconfig ip route ifup ifdown iw iwconfig iwpriv ethtool vconfig brctl modprobe insmod rmmod depmod sysctl hwclock date hostname find xargs sed awk grep cut tr sort uniq wc tee ls
	stty setterm clear reset getty agetty mingetty login login.sh sulogin fsck e2fsck fsck.ext4 mke2fs mkfs.ext4 resize2fs tune2fs blkid losetup cryptsetup mdadm pvscan vgscan vgchange lvm
	curl wget ssh scp sftp ftp tftp lftp ncftpget openssl git tar gzip gunzip zcat unzip md5sum sha256sum killall kill pkill pidof ps top free df du mknod mkfifo install
	iptables ip6tables iptables-restore ip6tables-restore nft ufw ebtables ipset arptables tc ntpdate rdate sntp ntpclient udevadm mdev systemctl journalctl loginctl systemd-tmpfiles
	systemd-sysusers systemd-machine-id-setup ldconfig update-rc.d chkconfig reboot poweroff halt shutdown telinit init switch_root pivot_root chroot fw_printenv fw_setenv nandwrite flash_erase flashcp mtd
	ubiattach ubimount ubiupdatevol gpioset gpioget i2cset i2cget devmem amixer alsactl aplay arecord fbset con2fbmap loadkeys loadfont setfont dmesg dbus-uuidgen dbus-send dbus-monitor
	ssh-keygen dropbearkey uci ubus jshn wpa_cli hostapd_cli bluetoothctl hciattach hciconfig brcm_patchram_plus btattach rfkill psplash plymouth plymouthd startpar bootlogd seedrng urandom
	savelog logrotate run-parts crontab at batch expr basename dirname seq usleep env id whoami tty mesg ping ping6 arping traceroute nslookup host dig time rtcwake microcom minicom screen tmux
	vi nano less more python-config kmod lsmod start-stop-daemon systemd-sulogin-shell systemd-tty-ask-password-agent systemd-reply-password service rc-service openrc apt-get apt dpkg opkg rpm apk swupdate-client ar bzip2 xz restorecon setenforce load_policy apparmor_parser auditctl augenrules aa-status
	systemd-notify systemd-run systemd-random-seed systemd-update-utmp systemd-user-sessions readahead e4defrag fstrim quotacheck quotaon setserial setquota gdbus busctl update-ca-certificates exit eend log_daemon_msg log_end_msg log_progress_msg`)

func words(list string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(list) {
		m[w] = true
	}
	return m
}

// interpreters run a program that is a text: the text is the service.
func interpreter(name string) bool {
	for _, p := range []string{"python", "node", "nodejs", "perl", "ruby", "php", "lua", "java", "mono", "dotnet", "tclsh", "wish", "gunicorn", "uvicorn", "uwsgi", "ucode", "qmlscene"} {
		if rest, ok := strings.CutPrefix(name, p); ok && strings.Trim(rest, "0123456789.") == "" {
			return true
		}
	}
	return false
}

// cleartext and secret protocols: what all of them say of what they carry.
func carriesEncrypted(protocol string) (encrypted, known bool) {
	switch protocol {
	case "telnet", "ftp", "tftp", "rlogin", "rsh", "rexec", "finger", "gdb", "adb", "tcf", "netbios", "rpcbind":
		return false, true
	case "ssh", "https", "openvpn", "ike":
		return true, true
	}
	return false, false
}

// asksNothing are protocols and words with which nobody is asked who he is.
func asksNothing(kind daemonKind, words []string) bool {
	switch kind.protocol {
	case "gdb", "tftp", "finger", "rpcbind", "tcf":
		return true
	case "telnet":
		for i, w := range words {
			if w == "-l" && i+1 < len(words) && shells[path.Base(words[i+1])] {
				return true
			}
			if strings.HasPrefix(w, "-l/") && shells[path.Base(w)] {
				return true
			}
		}
	}
	return false
}
