package fact

// Field tags: `see:"secret"` marks a field that a redacted report leaves out,
// `see:"public"` one that may be shown to anybody; others are internal.

// Device is what the device is: by device.yaml, by what the image says of itself.
type Device struct {
	Base
	Vendor        string      `json:"vendor,omitzero" see:"public"`
	Model         string      `json:"model,omitzero" see:"public"`
	Version       string      `json:"version,omitzero" see:"public"`
	UDI           string      `json:"udi,omitzero" see:"public"`
	Class         string      `json:"class,omitzero" see:"public"` // stationary, ambient, wearable, implanted
	OS            string      `json:"os,omitzero" see:"public"`    // linux, vxworks, qnx, windows, freertos ...
	Distro        string      `json:"distro,omitzero" see:"public"`
	DistroID      string      `json:"distro_id,omitzero" see:"public"`      // of os-release, in lower case: debian, openwrt, poky ...
	DistroVersion string      `json:"distro_version,omitzero" see:"public"` // of os-release: 12, 22.03.5 ...
	DistroSupport string      `json:"distro_support,omitzero" see:"public"` // maintained, no-longer-maintained, abandoned
	DistroEnd     string      `json:"distro_end,omitzero" see:"public"`     // the last day of its security fixes that cost nothing
	DistroEnding  Opt[bool]   `json:"distro_ending,omitzero" see:"public"`  // that day is less than a year away
	DistroWhy     string      `json:"distro_why,omitzero" see:"public"`     // how that is known, or why it is not
	DistroSource  string      `json:"distro_source,omitzero" see:"public"`  // the address that says so
	Arch          string      `json:"arch,omitzero" see:"public"`           // arm, arm64, mips, mipsel, mips64el, ppc, riscv64, x86, x86_64
	Functions     []string    `json:"functions,omitzero" see:"public"`      // clinical functions
	Harm          string      `json:"harm,omitzero" see:"public"`           // S1 negligible, S2 minor, S3 serious, S4 critical, S5 catastrophic
	Ports         []string    `json:"ports,omitzero" see:"public"`          // declared, as tcp/443
	Hosts         []string    `json:"hosts,omitzero" see:"public"`          // declared outbound destinations
	Cyber         Opt[bool]   `json:"cyber,omitzero" see:"public"`          // has software and a way to be connected
	Emergency     Opt[string] `json:"emergency,omitzero"`                   // how emergency access works
}

// Component is software that is in the device. One component is one fact, with all the
// places it was seen at.
type Component struct {
	Base
	Name          string      `json:"name" see:"public"`             // the upstream project's usual lower-case name
	Version       string      `json:"version,omitzero" see:"public"` // the upstream version
	Suffix        string      `json:"suffix,omitzero" see:"public"`  // a distribution's: -2+deb12u3, -r4
	Supplier      string      `json:"supplier,omitzero" see:"public"`
	PURL          string      `json:"purl,omitzero" see:"public"`
	CPEs          []string    `json:"cpes,omitzero" see:"public"`
	Type          string      `json:"type,omitzero" see:"public"` // application, library, operating-system, kernel, firmware, module
	License       string      `json:"license,omitzero" see:"public"`
	How           string      `json:"how,omitzero"` // package-database, manifest, binary-string, symbols, soname, file-name, build-info, declared
	Why           string      `json:"why,omitzero"` // the evidence in words
	Digest        string      `json:"digest,omitzero" see:"public"`
	Support       string      `json:"support,omitzero" see:"public"`        // maintained, no-longer-maintained, abandoned: by who makes it or packages it
	EndOfSupport  string      `json:"end_of_support,omitzero" see:"public"` // the last day of security fixes that cost nothing, as 2026-11-24
	Ending        Opt[bool]   `json:"ending,omitzero" see:"public"`         // that day is less than a year away
	SupportWhy    string      `json:"support_why,omitzero" see:"public"`    // how the support is known, or why it is not
	SupportSource string      `json:"support_source,omitzero" see:"public"` // the address that says so
	Bundled       Opt[string] `json:"bundled,omitzero"`                     // the component whose binary carries a copy of this one
	Depends       []string    `json:"depends,omitzero"`                     // names of components it needs
	Mends         []string    `json:"mends,omitzero"`                       // vulnerabilities that the package's own changelog names as mended
	MendsIn       string      `json:"mends_in,omitzero"`                    // the place of that changelog
	Ecosystem     string      `json:"ecosystem,omitzero"`                   // deb, opkg, apk, rpm, npm, pypi, golang, maven, generic
}

// Account is someone who can log in, to the system or to one program.
type Account struct {
	Base
	Name       string      `json:"name"`
	Store      string      `json:"store"` // system, or the program that keeps it: htpasswd, mosquitto, samba, vsftpd, orthanc ...
	UID        Opt[int]    `json:"uid,omitzero"`
	GID        Opt[int]    `json:"gid,omitzero"`
	Home       string      `json:"home,omitzero"`
	Shell      string      `json:"shell,omitzero"`
	Login      Opt[bool]   `json:"login,omitzero"`    // it gets a shell or a session
	Scheme     string      `json:"scheme,omitzero"`   // des, bsdi, md5, apr1, sunmd5, sha1, sha256, sha512, bcrypt, scrypt, yescrypt, gost-yescrypt, nt, lm, sha, ssha, digest, pbkdf2, salted-sha512, plain, unknown
	Password   Opt[string] `json:"password,omitzero"` // empty, default, cracked, set, locked, none
	Masked     string      `json:"masked,omitzero" see:"secret"`
	Locked     Opt[bool]   `json:"locked,omitzero"`
	Sudo       Opt[string] `json:"sudo,omitzero"`     // no, limited (to some commands), yes, nopasswd (any command without a password)
	Remote     Opt[bool]   `json:"remote,omitzero"`   // a service started lets it in from the network
	Keys       Opt[int]    `json:"keys,omitzero"`     // entries in authorized_keys
	Declared   Opt[bool]   `json:"declared,omitzero"` // the design or the documents name it
	Weak       Opt[bool]   `json:"weak,omitzero"`     // hash scheme falls to offline guessing
	MaxDays    Opt[int]    `json:"max_days,omitzero"`
	MustChange Opt[bool]   `json:"must_change,omitzero"` // a new password is demanded at the next login
}

// Secret is a credential or token that lies about. The value itself is never kept.
type Secret struct {
	Base
	What        string    `json:"what"`         // password, token, api-key, cloud-key, wifi-psk, community, connection-string, cookie-secret
	For         string    `json:"for,omitzero"` // what it opens: cifs, mysql, mqtt, aws, wifi ...
	In          string    `json:"in,omitzero"`  // configuration, script, binary, log, history, database, environment
	User        string    `json:"user,omitzero"`
	Masked      string    `json:"masked,omitzero" see:"secret"`
	Fingerprint string    `json:"fingerprint,omitzero"` // equal for the same secret elsewhere; absent for guessable ones
	Default     Opt[bool] `json:"default,omitzero"`     // it is in the list of default passwords, or in a corpus of known keys
	Hashed      Opt[bool] `json:"hashed,omitzero"`      // stored one-way
	Readable    Opt[bool] `json:"readable,omitzero"`    // every user of the system may read the file
	Subject     string    `json:"subject,omitzero"`     // key of the setting or variable
}

// Key is cryptographic key material.
type Key struct {
	Base
	Algorithm       string    `json:"algorithm,omitzero"` // rsa, dsa, ecdsa, ed25519, dh, aes, openpgp ...
	Bits            Opt[int]  `json:"bits,omitzero"`
	Private         Opt[bool] `json:"private,omitzero"`
	Encrypted       Opt[bool] `json:"encrypted,omitzero"`        // a passphrase protects it
	Use             string    `json:"use,omitzero"`              // ssh-host, ssh-user, ssh-authorized, tls, code-signing, vpn, unknown
	SelfAuthorising Opt[bool] `json:"self_authorising,omitzero"` // the private half lies beside an entry that lets it in
	Known           Opt[bool] `json:"known,omitzero"`            // published: a test, sample or default key
	KnownAs         string    `json:"known_as,omitzero"`
	Fingerprint     string    `json:"fingerprint,omitzero"` // of the public half: SHA256:...
	Account         string    `json:"account,omitzero"`     // whom an authorized_keys entry lets in
	Readable        Opt[bool] `json:"readable,omitzero"`
}

// Certificate is an X.509 certificate.
type Certificate struct {
	Base
	Subject     string    `json:"subject,omitzero"`
	Issuer      string    `json:"issuer,omitzero"`
	Serial      string    `json:"serial,omitzero"`
	Algorithm   string    `json:"algorithm,omitzero"`
	Bits        Opt[int]  `json:"bits,omitzero"`
	Signature   string    `json:"signature,omitzero"` // md5, sha1, sha256 ...
	NotBefore   string    `json:"not_before,omitzero"`
	NotAfter    string    `json:"not_after,omitzero"`
	Expired     Opt[bool] `json:"expired,omitzero"` // at the dossier's date
	SelfSigned  Opt[bool] `json:"self_signed,omitzero"`
	CA          Opt[bool] `json:"ca,omitzero"`
	PrivateHere Opt[bool] `json:"private_here,omitzero"` // its private key lies in the same image
	Known       Opt[bool] `json:"known,omitzero"`
	KnownAs     string    `json:"known_as,omitzero"`
	Use         string    `json:"use,omitzero"` // server, client, ca, trust-store, unknown
	Fingerprint string    `json:"fingerprint,omitzero"`
}

// Service is something that listens or is started.
type Service struct {
	Base
	Name          string      `json:"name"`
	Program       string      `json:"program,omitzero"`   // path of the program, links resolved
	Arguments     []string    `json:"arguments,omitzero"` // secrets masked
	Product       string      `json:"product,omitzero"`   // the daemon, as setting.subject names it: sshd, dropbear, mosquitto ...
	Instance      string      `json:"instance,omitzero"`  // setting.instance of its settings: the configuration file it reads
	Protocol      string      `json:"protocol,omitzero"`  // telnet, ssh, ftp, tftp, http, https, mqtt, snmp, smb, nfs, vnc, dicom, hl7, rsync, adb, gdb ...
	Transport     string      `json:"transport,omitzero"` // tcp, udp, unix
	Port          Opt[int]    `json:"port,omitzero"`
	Bind          string      `json:"bind,omitzero"` // address; 0.0.0.0 and :: are all
	Listens       Opt[bool]   `json:"listens,omitzero"`
	Reachable     Opt[bool]   `json:"reachable,omitzero"`     // from another machine: it listens on more than loopback
	Encrypted     Opt[bool]   `json:"encrypted,omitzero"`     // all it carries is
	Authenticated Opt[bool]   `json:"authenticated,omitzero"` // it asks who is there before it serves
	Anonymous     Opt[bool]   `json:"anonymous,omitzero"`     // it also serves without a login
	Shell         Opt[bool]   `json:"shell,omitzero"`         // it gives a shell or runs commands
	Start         Opt[string] `json:"start,omitzero"`         // never, conditional, boot, on-demand
	Condition     string      `json:"condition,omitzero"`
	Started       string      `json:"started,omitzero"` // by what: inittab, rcS, systemd, procd, inetd, cron, openrc, rc.local
	User          Opt[string] `json:"user,omitzero"`
	AsRoot        Opt[bool]   `json:"as_root,omitzero"`
	Declared      Opt[bool]   `json:"declared,omitzero"` // the design names the port
	Writable      Opt[bool]   `json:"writable,omitzero"` // it lets clients store files
	Confined      Opt[bool]   `json:"confined,omitzero"` // sandboxing of its unit, or a mandatory policy
}

// Endpoint is an address inside a service: a route, a topic, an application entity.
type Endpoint struct {
	Base
	Service       string    `json:"service,omitzero"`
	Protocol      string    `json:"protocol,omitzero"`
	Path          string    `json:"path"`
	Authenticated Opt[bool] `json:"authenticated,omitzero"`
	Writes        Opt[bool] `json:"writes,omitzero"`
	Commands      Opt[bool] `json:"commands,omitzero"` // runs commands
	Uploads       Opt[bool] `json:"uploads,omitzero"`
	Handler       string    `json:"handler,omitzero"`
}

// Destination is where the device connects to.
type Destination struct {
	Base
	Host      string    `json:"host"`
	Port      Opt[int]  `json:"port,omitzero"`
	Protocol  string    `json:"protocol,omitzero"`
	Use       string    `json:"use,omitzero"`     // update, time, mount, telemetry, cloud, log, mail, unknown
	Public    Opt[bool] `json:"public,omitzero"`  // a routable address or name
	Literal   Opt[bool] `json:"literal,omitzero"` // an address, not a name
	Encrypted Opt[bool] `json:"encrypted,omitzero"`
	Verified  Opt[bool] `json:"verified,omitzero"` // the peer's certificate is checked
	Declared  Opt[bool] `json:"declared,omitzero"`
	In        string    `json:"in,omitzero"` // configuration, script, binary
}

// Setting is one effective configuration value.
type Setting struct {
	Base
	Subject  string      `json:"subject"`           // sshd, dropbear, mosquitto, kernel, login.defs ...
	Instance string      `json:"instance,omitzero"` // the main configuration file of the instance, or command line
	Scope    string      `json:"scope,omitzero"`    // section, match, listener
	Name     string      `json:"key"`
	Ordinal  int         `json:"ordinal,omitzero"` // of several with the same key
	Raw      string      `json:"raw,omitzero"`
	Value    Opt[string] `json:"value,omitzero"`  // normalised: yes and no for switches, plain numbers
	Origin   string      `json:"origin,omitzero"` // file, argument, default, compiled
}

// Guard is something that slows or records an attacker.
type Guard struct {
	Base
	What    string    `json:"what"`             // lockout, delay, rate-limit, firewall, mandatory-access, logging, remote-logging, audit, time-sync, integrity, allow-list, idle-logoff, password-quality
	Subject string    `json:"subject,omitzero"` // login, sshd, dropbear, web, system ...
	By      string    `json:"by,omitzero"`      // what does it: pam_faillock, fail2ban, nftables ...
	Active  Opt[bool] `json:"active,omitzero"`
	Limit   Opt[int]  `json:"limit,omitzero"` // tries, characters or seconds
	Detail  string    `json:"detail,omitzero"`
}

// Executable is a program, a library or a kernel module.
type Executable struct {
	Base
	Path          string      `json:"path"`
	Type          string      `json:"type,omitzero"`   // program, library, module, object
	Format        string      `json:"format,omitzero"` // elf, pe, macho
	Arch          string      `json:"arch,omitzero"`
	Language      string      `json:"language,omitzero"` // go, rust where it shows
	Static        Opt[bool]   `json:"static,omitzero"`
	PIE           Opt[bool]   `json:"pie,omitzero"`
	NX            Opt[bool]   `json:"nx,omitzero"`
	RELRO         Opt[string] `json:"relro,omitzero"` // none, partial, full
	Canary        Opt[bool]   `json:"canary,omitzero"`
	Fortify       Opt[bool]   `json:"fortify,omitzero"`
	Stripped      Opt[bool]   `json:"stripped,omitzero"`
	Debug         Opt[bool]   `json:"debug,omitzero"` // carries debug information
	RPath         Opt[string] `json:"rpath,omitzero"`
	Signed        Opt[bool]   `json:"signed,omitzero"`
	Setuid        Opt[bool]   `json:"setuid,omitzero"` // setuid root
	Setgid        Opt[bool]   `json:"setgid,omitzero"`
	Capabilities  []string    `json:"capabilities,omitzero"`
	WorldWritable Opt[bool]   `json:"world_writable,omitzero"`
	Needed        []string    `json:"needed,omitzero"`
	Risky         []string    `json:"risky,omitzero"`     // imports without bounds: strcpy, gets, sprintf ...
	Runs          []string    `json:"runs,omitzero"`      // imports that start programs: system, popen, execve ...
	ShellOut      Opt[bool]   `json:"shell_out,omitzero"` // builds a shell command from input: system or popen with a command format string
	Network       Opt[bool]   `json:"network,omitzero"`   // imports socket calls that accept connections
	NoVerify      Opt[bool]   `json:"no_verify,omitzero"` // asks its TLS library not to check the peer
	Boot          Opt[bool]   `json:"boot,omitzero"`      // started at boot, by itself or through a script
	Vendor        Opt[bool]   `json:"vendor,omitzero"`    // not known to be another project's: the maker's own
	Digest        string      `json:"digest,omitzero"`
	Size          int64       `json:"size,omitzero"`
}

// Script is a program in a scripting language, with what in it is dangerous.
type Script struct {
	Base
	Path          string    `json:"path"`
	Language      string    `json:"language,omitzero"` // sh, python, php, lua, perl, javascript
	CGI           Opt[bool] `json:"cgi,omitzero"`      // the web server runs it for a request
	Boot          Opt[bool] `json:"boot,omitzero"`     // run at boot
	AsRoot        Opt[bool] `json:"as_root,omitzero"`
	WorldWritable Opt[bool] `json:"world_writable,omitzero"`
	Uses          []Use     `json:"uses,omitzero"`
}

// Use is one dangerous use in a script.
type Use struct {
	What string `json:"what"` // shell-injection, eval-input, sql-injection, path-input, upload-any, download-run, no-verify, tmp-race, weak-hash, debug-mode, hard-coded-login, cleartext-transfer, deserialise, unquoted-input
	Line int    `json:"line"`
	Text string `json:"text,omitzero"` // the line, secrets masked, at most 160 characters
}

// Update is a way the device's software is replaced.
type Update struct {
	Base
	Mechanism  string    `json:"mechanism"` // swupdate, rauc, mender, opkg, apt, apk, rpm, sysupgrade, fwupd, script, usb, ostree
	Path       string    `json:"path,omitzero"`
	Transport  string    `json:"transport,omitzero"` // http, https, ftp, tftp, usb, scp, local
	Signed     Opt[bool] `json:"signed,omitzero"`    // a signature is checked before it is installed
	Integrity  Opt[bool] `json:"integrity,omitzero"` // a checksum is
	Rollback   Opt[bool] `json:"rollback,omitzero"`  // protected against older versions
	Removable  Opt[bool] `json:"removable,omitzero"` // from removable media, started by plugging in
	Verified   Opt[bool] `json:"verified,omitzero"`  // the server's certificate is checked
	RunsScript Opt[bool] `json:"runs_script,omitzero"`
	Automatic  Opt[bool] `json:"automatic,omitzero"`
}

// Boot is how the device starts.
type Boot struct {
	Base
	Loader      string      `json:"loader"` // u-boot, barebox, grub, uefi, redboot, android ...
	Version     string      `json:"version,omitzero"`
	Delay       Opt[int]    `json:"delay,omitzero"`       // seconds in which a key stops it; -1 does not wait, -2 cannot be stopped
	Interactive Opt[bool]   `json:"interactive,omitzero"` // somebody at the console can stop it
	Password    Opt[bool]   `json:"password,omitzero"`
	Command     string      `json:"command,omitzero"`
	Console     Opt[string] `json:"console,omitzero"` // ttyS0,115200
	CommandLine string      `json:"command_line,omitzero"`
	Verified    Opt[bool]   `json:"verified,omitzero"`      // signatures of what is booted are demanded
	Signed      Opt[bool]   `json:"signed,omitzero"`        // the image carries signatures
	Verity      Opt[bool]   `json:"verity,omitzero"`        // dm-verity or the like guards the root
	Removable   Opt[bool]   `json:"removable,omitzero"`     // boots from removable media
	Network     Opt[bool]   `json:"network,omitzero"`       // boots from the network
	RootShell   Opt[bool]   `json:"root_shell,omitzero"`    // the command line gives a shell: init=/bin/sh, single
	Login       Opt[bool]   `json:"console_login,omitzero"` // the console asks for a login; no means a shell at once
	EnvWritable Opt[bool]   `json:"env_writable,omitzero"`
}

// Kernel is the operating system's kernel.
type Kernel struct {
	Base
	Name          string    `json:"name"`             // linux, vxworks ...
	Version       string    `json:"version,omitzero"` // the real one: 6.1.176, not the ABI's name 6.1.0-50
	Release       string    `json:"release,omitzero"` // uname -r
	Build         string    `json:"build,omitzero"`   // the rest of the version line
	Arch          string    `json:"arch,omitzero"`
	Config        Opt[bool] `json:"config,omitzero"`         // its configuration is known; options are settings of the subject kernel
	ModuleSigning Opt[bool] `json:"module_signing,omitzero"` // demanded
	Modules       []string  `json:"modules,omitzero"`
	Options       []string  `json:"options,omitzero"` // of the configuration, where it is known: EXT4_FS=y, IP_SCTP=m, NTFS3_FS=n
	Compiler      string    `json:"compiler,omitzero"`
	Support       string    `json:"support,omitzero" see:"public"`        // maintained, no-longer-maintained, abandoned
	EndOfSupport  string    `json:"end_of_support,omitzero" see:"public"` // the last day of security fixes that cost nothing
	Ending        Opt[bool] `json:"ending,omitzero" see:"public"`         // that day is less than a year away
	SupportWhy    string    `json:"support_why,omitzero" see:"public"`    // how the support is known, or why it is not
	SupportSource string    `json:"support_source,omitzero" see:"public"` // the address that says so
}

// Mount is a file system that is mounted.
type Mount struct {
	Base
	Device    string    `json:"device"`
	Point     string    `json:"point"`
	Type      string    `json:"type,omitzero"`
	Options   []string  `json:"options,omitzero"`
	Writable  Opt[bool] `json:"writable,omitzero"`
	Exec      Opt[bool] `json:"exec,omitzero"`
	Setuid    Opt[bool] `json:"setuid,omitzero"`
	Devices   Opt[bool] `json:"devices,omitzero"`
	Encrypted Opt[bool] `json:"encrypted,omitzero"`
	Remote    Opt[bool] `json:"remote,omitzero"`
	Removable Opt[bool] `json:"removable,omitzero"`
}

// Interface is a way into the device.
type Interface struct {
	Base
	What      string    `json:"what"` // ethernet, wifi, bluetooth, usb, usb-storage, serial, jtag, cellular, nfc
	Name      string    `json:"name,omitzero"`
	Enabled   Opt[bool] `json:"enabled,omitzero"`
	Protected Opt[bool] `json:"protected,omitzero"` // it asks who is there
	Security  string    `json:"security,omitzero"`  // open, wep, wpa, wpa2, wpa3, eap, just-works, login, shell
	Detail    string    `json:"detail,omitzero"`
}

// Data is what the device holds or sends.
type Data struct {
	Base
	What      string    `json:"what"`           // patient, credentials, telemetry, log, image, configuration, unknown
	Store     string    `json:"store,omitzero"` // sqlite, postgresql, mysql, dicom, csv, log ...
	Path      string    `json:"path,omitzero"`
	State     string    `json:"state,omitzero"` // at-rest, in-transit
	Encrypted Opt[bool] `json:"encrypted,omitzero"`
	Readable  Opt[bool] `json:"readable,omitzero"`
	Tables    []string  `json:"tables,omitzero"`
}

// File is a file that is worth a word for itself.
type File struct {
	Base
	Path          string    `json:"path"`
	What          string    `json:"what"` // world-writable, setuid-script, device-node, core-dump, backup, history, version-control, debug-tool, build-tool, network-tool, key-store, log-with-secret, web-root-writable, startup
	Mode          Opt[int]  `json:"mode,omitzero"`
	UID           Opt[int]  `json:"uid,omitzero"`
	GID           Opt[int]  `json:"gid,omitzero"`
	Size          int64     `json:"size,omitzero"`
	Digest        string    `json:"digest,omitzero"`
	WorldWritable Opt[bool] `json:"world_writable,omitzero"`
	RunByRoot     Opt[bool] `json:"run_by_root,omitzero"`
	Detail        string    `json:"detail,omitzero"`
}

// Claim is an answer of a form.
type Claim struct {
	Base
	Form     string `json:"form"` // mds2-2019 ...
	Question string `json:"question"`
	Answer   string `json:"answer,omitzero"` // yes, no, na, note, blank
	Raw      string `json:"raw,omitzero"`
	Note     string `json:"note,omitzero"`
	Verdict  string `json:"verdict,omitzero"` // confirmed, contradicted, understated, not shown, not checkable: by the judge
	Because  string `json:"because,omitzero"` // the verdict in words
}

// Kind and Key of each: the table of keys in doc/facts.md is made from these.

func (*Device) Kind() Kind      { return KindDevice }
func (*Component) Kind() Kind   { return KindComponent }
func (*Account) Kind() Kind     { return KindAccount }
func (*Secret) Kind() Kind      { return KindSecret }
func (*Key) Kind() Kind         { return KindKey }
func (*Certificate) Kind() Kind { return KindCertificate }
func (*Service) Kind() Kind     { return KindService }
func (*Endpoint) Kind() Kind    { return KindEndpoint }
func (*Destination) Kind() Kind { return KindDestination }
func (*Setting) Kind() Kind     { return KindSetting }
func (*Guard) Kind() Kind       { return KindGuard }
func (*Executable) Kind() Kind  { return KindExecutable }
func (*Script) Kind() Kind      { return KindScript }
func (*Update) Kind() Kind      { return KindUpdate }
func (*Boot) Kind() Kind        { return KindBoot }
func (*Kernel) Kind() Kind      { return KindKernel }
func (*Mount) Kind() Kind       { return KindMount }
func (*Interface) Kind() Kind   { return KindInterface }
func (*Data) Kind() Kind        { return KindData }
func (*File) Kind() Kind        { return KindFile }
func (*Claim) Kind() Kind       { return KindClaim }

func (*Device) Key() string      { return "device" }
func (f *Component) Key() string { return f.Name }
func (f *Account) Key() string   { return key(f.Store, f.Name) }
func (f *Secret) Key() string {
	at := ""
	if len(f.Places) > 0 {
		at = NormalPath(f.Places[0].Path)
	}
	return key(f.What, f.For, f.User, f.Subject, at)
}
func (f *Key) Key() string {
	at := ""
	if len(f.Places) > 0 {
		at = NormalPath(f.Places[0].Path)
	}
	return key(f.Use, f.Account, at)
}
func (f *Certificate) Key() string {
	at := ""
	if len(f.Places) > 0 {
		at = NormalPath(f.Places[0].Path)
	}
	return key(f.Subject, f.Serial, at)
}
func (f *Service) Key() string {
	if f.Source.Witness != Firmware {
		return key(f.Transport, num(f.Port))
	}
	return key(f.Name, f.Protocol, NormalPath(f.Program))
}
func (f *Endpoint) Key() string    { return key(f.Service, f.Protocol, f.Path) }
func (f *Destination) Key() string { return key(f.Protocol, f.Host, num(f.Port)) }
func (f *Setting) Key() string {
	return key(f.Subject, NormalPath(f.Instance), f.Scope, f.Name, num(Say(f.Ordinal)))
}
func (f *Guard) Key() string      { return key(f.What, f.Subject, f.By) }
func (f *Executable) Key() string { return NormalPath(f.Path) }
func (f *Script) Key() string     { return NormalPath(f.Path) }
func (f *Update) Key() string     { return key(f.Mechanism, f.Transport, NormalPath(f.Path)) }
func (f *Boot) Key() string       { return f.Loader }
func (f *Kernel) Key() string     { return f.Name }
func (f *Mount) Key() string      { return f.Point }
func (f *Interface) Key() string  { return key(f.What, f.Name) }
func (f *Data) Key() string       { return key(f.What, f.Store, NormalPath(f.Path), f.State) }
func (f *File) Key() string       { return key(f.What, NormalPath(f.Path)) }
func (f *Claim) Key() string      { return key(f.Form, f.Question) }
