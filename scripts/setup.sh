#!/usr/bin/env bash
# Installs the Debian packages the project needs, when any is missing. Prints
# nothing when there is nothing to do. Needs root or sudo only to install.
set -euo pipefail

packages=(
  g++ cmake ninja-build ccache pkg-config make git
  libsystemc-dev verilator zlib1g-dev libgtest-dev libgmock-dev libbenchmark-dev
  libfmt-dev libeigen3-dev nlohmann-json3-dev libyaml-cpp-dev libcli11-dev libdnnl-dev libhwy-dev
  yosys python3  # synthesis and faults of the RTL, and the scripts around them
  ocl-icd-opencl-dev  # dnnl-config.cmake looks for OpenCL; libdnnl-dev only recommends it
)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "installing: ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "setup: root or sudo is needed to install: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
