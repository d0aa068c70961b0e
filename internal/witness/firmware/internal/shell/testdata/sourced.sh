#!/bin/sh
# A file that is not there leaves no variable open.
if [ -r /etc/no-logging.sh ]; then
	. /etc/no-logging.sh
fi
# A variable that is set for the dot stays set.
KIND=quick . /etc/default/foo
[ -z "$FOO_OPTS" ] && FOO_OPTS=--plain
for f in $(run-parts --lsbsysinit --list /etc/rc.d 2>/dev/null); do
	/usr/sbin/foo --load "$f"
done
/usr/sbin/foo $KIND $FOO_OPTS $EXTRA
