#!/bin/sh
# Fetches the documentation tools from npm, at exact versions with pinned checksums, and keeps only the files the
# pages use, gzipped. Running it again gives the same bytes; an upgrade is a new version and checksum below.
# Needs npm, openssl, tar, sed and GNU gzip.
set -eu

SWAGGER_UI_VERSION=5.35.0
SWAGGER_UI_SHA512='U06rpMtW9V3XPGOBeamTUSr0Z09jMX4IJuANpE/EZbAhw0G8CgwrzU4YmXkn/h0wCDNsXdGarTNNHC3sU8yVUQ=='
REDOC_VERSION=3.0.1
REDOC_SHA512='KDfoKaYW19LCl4YStgBnwlaNjYEFfs5zCNt1s1WZ2YM5u8d26Yuzd2l43fZO851ZsgIMe/D640fDJkD8eaRQKQ=='

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# fetch NAME VERSION SHA512 unpacks a package into $work/NAME, or stops if its bytes are not the pinned ones.
fetch() {
	(cd "$work" && npm pack --silent "$1@$2" >/dev/null)
	found=$(openssl dgst -sha512 -binary "$work/$1-$2.tgz" | openssl base64 -A)
	if [ "$found" != "$3" ]; then
		echo "vendor.sh: $1@$2 has sha512 $found, expected $3" >&2
		exit 1
	fi
	mkdir "$work/$1"
	tar -xzf "$work/$1-$2.tgz" -C "$work/$1" --strip-components=1
}

# replace FILE FROM TO rewrites the single occurrence of FROM; another count means that the tool has changed.
replace() {
	count=$(grep -oF "$2" "$1" | wc -l)
	if [ "$count" -ne 1 ]; then
		echo "vendor.sh: '$2' found $count times in $1, expected once" >&2
		exit 1
	fi
	sed "s|$2|$3|" "$1" >"$1.new" && mv "$1.new" "$1"
}

# wordmark WIDTH TEXT prints a data: URI of a small picture of the text, in a grey that reads on light and dark, and as
# wide in every font.
wordmark() {
	printf "data:image/svg+xml,%%3Csvg xmlns='http://www.w3.org/2000/svg' width='%s' height='14'%%3E" "$1"
	printf "%%3Ctext y='11' textLength='%s' lengthAdjust='spacingAndGlyphs' " "$1"
	printf "font-family='sans-serif' font-size='11' font-weight='600' fill='%%23808a9d'%%3E"
	printf "%s%%3C/text%%3E%%3C/svg%%3E" "$2"
}

# pack FROM TO compresses without name or time, so that the bytes depend on the content alone.
pack() { gzip -9 -n -c "$1" >"$2"; }

fetch swagger-ui-dist "$SWAGGER_UI_VERSION" "$SWAGGER_UI_SHA512"
fetch redoc "$REDOC_VERSION" "$REDOC_SHA512"

# ReDoc loads a logo from a CDN: an embedded picture of the name replaces it.
redoc="$work/redoc/bundles/redoc.standalone.js"
replace "$redoc" 'https://cdn.redoc.ly/redoc/logo-mini-full.svg' "$(wordmark 44 Redocly)"
replace "$redoc" 'https://cdn.redoc.ly/redoc/logo-mini.svg' "$(wordmark 9 R)"
# It colours code by style attributes, which our policy refuses: static/redoc.css does that by class.
replace "$redoc" ' style="color: var(${i})"' ''

rm -rf "$here/vendored"
mkdir -p "$here/vendored/swagger-ui-dist" "$here/vendored/redoc"
cd "$here/vendored"
pack "$work/swagger-ui-dist/swagger-ui-bundle.js" swagger-ui-dist/swagger-ui-bundle.js.gz
pack "$work/swagger-ui-dist/swagger-ui.css" swagger-ui-dist/swagger-ui.css.gz
cp "$work/swagger-ui-dist/LICENSE" "$work/swagger-ui-dist/NOTICE" \
	"$work/swagger-ui-dist/swagger-ui-bundle.js.LICENSE.txt" swagger-ui-dist/
pack "$redoc" redoc/redoc.standalone.js.gz
cp "$work/redoc/LICENSE" redoc/
chmod 644 swagger-ui-dist/* redoc/*
