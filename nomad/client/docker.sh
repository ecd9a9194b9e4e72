# Docker: from a repository whose key is pinned, and configured for the builds of strangers.
# shellcheck shell=bash

# An image that brings Docker keeps its own.
install_docker() {
  command -v dockerd > /dev/null || "install_docker_$PACKAGES"
}

install_docker_apt() {
  local key=/etc/apt/keyrings/docker.asc codename
  codename=$(os_release VERSION_CODENAME)
  fetch "$DOCKER_REPOSITORY/$DISTRO/gpg" "$WORK/docker.asc"
  pin_key "$WORK/docker.asc" "${DOCKER_KEY_FINGERPRINT:-9DC858229FC7DD38854AE2D88D81803C0EBFCD88}" "$key"
  put /etc/apt/sources.list.d/docker.list 644 \
    <<< "deb [arch=$ARCH signed-by=$key] $DOCKER_REPOSITORY/$DISTRO $codename stable"
  packages "docker-ce=5:$DOCKER_VERSION-*" "docker-ce-cli=5:$DOCKER_VERSION-*" containerd.io
  # No upgrade restarts it under running builds.
  apt-mark hold docker-ce docker-ce-cli containerd.io > /dev/null
}

install_docker_dnf() {
  local key=/etc/pki/rpm-gpg/RPM-GPG-KEY-docker.asc folder=centos
  # Amazon's own, of the release that the image is locked to; nobody else builds it for Amazon Linux.
  if [[ $DISTRO == amzn ]]; then
    packages docker
    return
  fi
  [[ $DISTRO != rhel ]] || folder=rhel
  fetch "$DOCKER_REPOSITORY/$folder/gpg" "$WORK/docker.asc"
  pin_key "$WORK/docker.asc" "${DOCKER_KEY_FINGERPRINT:-060A61C51B558A7F742B77AAC52FEB6B621E9F35}" "$key"
  # Used here by name and disabled otherwise: no upgrade restarts it under running builds.
  put /etc/yum.repos.d/docker-ce.repo 644 << END
[docker-ce-stable]
name=Docker CE
baseurl=$DOCKER_REPOSITORY/$folder/\$releasever/\$basearch/stable
enabled=0
gpgcheck=1
gpgkey=file://$key
END
  packages --enablerepo=docker-ce-stable "docker-ce-$DOCKER_VERSION" "docker-ce-cli-$DOCKER_VERSION" containerd.io
}

# Ours goes over what is there, key by key. The user namespace has to be there before the first pull:
# Docker keeps another image store for it.
configure_docker() {
  local file=/etc/docker/daemon.json
  [[ -e $file ]] || put $file 644 <<< '{}'
  jq -e 'type == "object"' $file > /dev/null 2>&1 || fail "$file is not a JSON object: repair it, or remove it"
  [[ -e $file.orig ]] || cp -p $file $file.orig
  jq -S --arg pool "$DOCKER_ADDRESS_POOL" '. * {
    "userns-remap": "default",
    "live-restore": true,
    "no-new-privileges": true,
    "icc": false,
    "userland-proxy": false,
    "log-driver": "json-file",
    "log-opts": {"max-size": "50m", "max-file": "3"},
    "default-address-pools": [{"base": $pool, "size": 24}]
  }' $file > "$WORK/daemon.json"
  # Docker learned to do this with 23.0; an image may bring an older one.
  if [[ $(dockerd --help) == *--validate* ]]; then
    dockerd --validate --config-file "$WORK/daemon.json" > "$WORK/validate" 2>&1 \
      || fail "dockerd refuses what $file would be: $(tail -n 1 "$WORK/validate")"
  fi
  put $file 644 < "$WORK/daemon.json"
  put /etc/systemd/system/docker.service.d/caravan.conf 644 <<< $'[Service]\nEnvironmentFile=-/etc/caravan/proxy.env'
  systemctl daemon-reload
  apply docker.service $file /etc/systemd/system/docker.service.d/caravan.conf /etc/caravan/proxy.env
  if ! docker network inspect ci-privileged > /dev/null 2>&1; then
    docker network create --driver=bridge --opt com.docker.network.bridge.name=ci-privileged ci-privileged > /dev/null
  fi
}
