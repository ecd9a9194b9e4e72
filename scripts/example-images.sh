#!/usr/bin/env bash
# Makes the images of the examples and of the tests on the Docker Engine of this machine, from programs of
# this machine and without any registry:
#
#   caravan-example/app      bash, git and busybox; the users root and circleci
#   caravan-example/service  busybox only, without bash; answers on port 8080
#
# Needs docker, a static busybox, bash and git. Images that are there already are kept; --force makes them anew.
set -euo pipefail

app=caravan-example/app:latest
service=caravan-example/service:latest
if [ "${1:-}" != --force ] && docker image inspect "$app" "$service" > /dev/null 2>&1; then
  exit 0
fi

busybox=$(command -v busybox) || {
  echo 'example-images: there is no busybox here: install the package busybox-static' >&2
  exit 2
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# base FOLDER: a root file system with busybox and two users.
base() {
  mkdir -p "$1"/{bin,dev,etc,home/circleci,proc,root,sys,tmp,usr/bin,www}
  cp "$busybox" "$1/bin/busybox"
  local applet
  for applet in $(busybox --list); do
    [ "$applet" = busybox ] || ln -s /bin/busybox "$1/bin/$applet"
  done
  printf 'root:x:0:0:root:/root:/bin/sh\ncircleci:x:3434:3434::/home/circleci:/bin/sh\n' > "$1/etc/passwd"
  printf 'root:x:0:\ncircleci:x:3434:\n' > "$1/etc/group"
  printf 'hosts: files dns\n' > "$1/etc/nsswitch.conf"
  chown 3434:3434 "$1/home/circleci" 2> /dev/null || true
  chmod 1777 "$1/tmp"
}

# program FOLDER FILE TARGET: a program of this machine, with the libraries that it is linked to.
program() {
  rm -f "$1$3"
  mkdir -p "$(dirname "$1$3")"
  cp -L "$2" "$1$3"
  local library
  for library in $(ldd "$2" | grep -o '/[^ ]*'); do
    mkdir -p "$1$(dirname "$library")"
    cp -L "$library" "$1$library"
  done
}

base "$work/app"
program "$work/app" "$(command -v bash)" /bin/bash
program "$work/app" "$(command -v git)" /usr/bin/git
# Git starts programs of its own for some commands; most are the same file.
core=$(git --exec-path)
mkdir -p "$work/app$core"
ln -s /usr/bin/git "$work/app$core/git"
tar -C "$work/app" -c . | docker import \
  --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
  --change 'ENV FROM_IMAGE=yes' --change 'CMD ["/bin/sh"]' - "$app" > /dev/null

base "$work/service"
echo 'hello from the service' > "$work/service/www/index.html"
tar -C "$work/service" -c . | docker import \
  --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
  --change 'EXPOSE 8080' \
  --change 'CMD ["/bin/sh", "-c", "echo the service listens on 8080; exec httpd -f -v -p 8080 -h /www"]' \
  - "$service" > /dev/null
echo "made $app and $service"
