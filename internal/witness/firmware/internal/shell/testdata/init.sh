#!/bin/sh
# pumpd -p 1 is only a comment
DAEMON=/usr/sbin/foo
NAME="foo"
OPTS="-d -p 80"
[ -x "$DAEMON" ] || exit 0
[ -r /etc/default/$NAME ] && . /etc/default/$NAME
if [ "$ENABLED" = "no" ]; then
	exit 0
fi
cat <<END
telnetd -l /bin/sh
END
do_start() {
	start-stop-daemon --start --test --exec $DAEMON || return 1
	start-stop-daemon --start --exec "$DAEMON" -- $OPTS $EXTRA || return 2
	[ -f /data/debug ] && gdbserver :1234 &
}
case "$1" in
start)
	do_start
	case "$?" in
	0|1) log_end_msg 0 ;;
	esac
	;;
stop)
	killall foo
	;;
esac
[ -f /data/service-mode ] || exit 0
dropbear -R
if grep -q debug /proc/cmdline; then
	telnetd
elif [ -e /data/x ]; then
	X=1
else
	X=2
fi
echo $X "${NAME%o}" `basename /usr/lib/a.so .so` ${NAME:-bar} ${UNSET:-dflt} $(date)
for i in /etc/rc.d/S*; do
	[ -x "$i" ] || continue
	$i start &
done
while true; do
	poll /dev/x
	sleep 5
done
never_reached
