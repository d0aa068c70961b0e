# Yocto: inherit vesalius in the image recipe. Set VESALIUS_IMAGE to the file to scan, and
# VESALIUS_BASELINE to the dossier of the last release, so that only what is new fails the build.
VESALIUS ?= "vesalius"
VESALIUS_IMAGE ?= "${IMGDEPLOYDIR}/${IMAGE_LINK_NAME}.squashfs"
VESALIUS_BASELINE ?= ""

do_vesalius() {
	set -- "${VESALIUS_IMAGE}" -q --cache "${TMPDIR}/vesalius-cache" -o "${IMGDEPLOYDIR}/${IMAGE_LINK_NAME}.dossier.json" -f sarif --to "${IMGDEPLOYDIR}/${IMAGE_LINK_NAME}.sarif"
	if [ -n "${VESALIUS_BASELINE}" ]; then
		set -- "$@" --baseline "${VESALIUS_BASELINE}"
	fi
	${VESALIUS} scan "$@"
}
addtask vesalius after do_image_complete before do_build
