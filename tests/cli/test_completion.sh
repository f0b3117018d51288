#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The completion of bash, run as bash would: the words so far, and what it offers.
set -u
fake=$(mktemp -d)
trap 'rm -rf "$fake"' EXIT
real=$SL_BUILD_DIR/bin/sluice
# Names of the cluster come from this one; everything else of it is not asked.
cat >"$fake/sluice" <<'END'
#!/bin/sh
case "$1 $2" in
"node list") printf 'NAME  STATE\nn1    alive\nn2    alive\n' ;;
"drain list") printf 'DRAIN     NODE\n9af0c1d2  n2\n' ;;
"feed list") printf 'FEED    STATE\norders  normal\n' ;;
esac
END
chmod +x "$fake/sluice"
PATH=$fake:$PATH
# shellcheck source=/dev/null
source <("$real" completion bash)
failed=0

offers() { # offers <wanted, sorted> <words...>: the last word is the one being completed
    local wanted=$1 got
    shift
    COMP_WORDS=(sluice "$@")
    COMP_CWORD=$(($# < 1 ? 1 : $#))
    COMPREPLY=()
    _sluice
    got=$(printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' ')
    if [[ ${got% } != "$wanted" ]]; then
        echo "sluice $*: offers '${got% }', not '$wanted'"
        failed=1
    fi
}

offers "cluster completion" c
offers "node" no
offers "drain list show undrain" node ""
offers "drain" node dr
offers "n1 n2" node drain ""
offers "n2" node drain n2
offers "--deadline --detach --dry-run" node drain n2 --d
offers "" node drain n2 ""
offers "9af0c1d2" drain show ""
offers "orders" feed pause o
offers "n1 n2" feed move orders --to ""
offers "bash" completion ""
offers "n1 n2" --server http://h:1 node show ""
offers "--reason" node drain --deadline 10m n2 --rea
offers "" node drain n2 --deadline ""
cd "$SL_SOURCE_DIR" || exit 1
offers "LICENSE" feed create f --config LIC
exit $failed
