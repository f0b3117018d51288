#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each house rule finds the violation planted for it, and says file, line and remedy; a clean tree has no finding.
set -eu

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cp -R "$SL_SOURCE_DIR/tools" "$root/tools"
spdx='/* SPDX-License-Identifier: Apache-2.0 */'
failed=0

# plant FILE TEXT: the tree holds this one file besides the tools.
plant() {
    rm -rf "$root/src" "$root/sim" "$root/doc.md"
    mkdir -p "$(dirname "$root/$1")"
    printf '%s\n' "$2" >"$root/$1"
}

# run CHECKER: with the build directory for those that look at object files.
run() {
    case $1 in
        check_symbols | check_headers) "$root/tools/$1" --build-dir "$root/build" 2>&1 ;;
        *) "$root/tools/$1" 2>&1 ;;
    esac
}

clean() {
    if ! found=$(run "$1"); then
        echo "$1 complains about a clean tree: $found"
        failed=1
    fi
}

# finds CHECKER TEXT: the checker fails, and one of its lines holds the text and a remedy.
finds() {
    if found=$(run "$1"); then
        echo "$1 does not see: $2"
        failed=1
    elif ! echo "$found" | grep -F -- "$2" | grep -qF 'remedy: '; then
        echo "$1 does not say '$2' with a remedy, but: $found"
        failed=1
    fi
}

lines() {
    i=0
    while [ "$i" -lt "$1" ]; do
        echo "    x++;"
        i=$((i + 1))
    done
}

# What must not stand in this file as one word.
to_do=$(printf 'TO%s' DO)
machine_path=$(printf '/%s/somebody/file' home)

plant src/base/a.c "$spdx
#include <string.h>"
clean check_tidy
clean check_includes
clean check_docs

plant src/base/a.c "int a;"
finds check_tidy 'src/base/a.c:1: the licence line'
plant src/base/a.c "$spdx
/* $to_do: later */"
finds check_tidy "src/base/a.c:2: the word $to_do"
plant src/base/a.c "$spdx
$(printf '\tint a;')"
finds check_tidy 'src/base/a.c:2: a tab'
plant src/base/a.c "$spdx
int a; "
finds check_tidy 'src/base/a.c:2: blanks'
plant src/base/a.c "$spdx
void f(char *a, const char *b) { strcpy(a, b); }"
finds check_tidy 'src/base/a.c:2: call of strcpy'
plant src/base/a.c "$spdx
const char *a = \"$machine_path\";"
finds check_tidy 'src/base/a.c:2: a path of one machine'
plant src/base/a.c "$spdx
$(lines 800)"
finds check_tidy 'src/base/a.c:801: 801 lines'
plant src/base/a.h "$spdx
int a;"
finds check_tidy 'src/base/a.h:1: no include guard'
plant tests/unit/test_a.c "$spdx
int main(void) { return cmocka_run_group_tests(tests, NULL, NULL); }"
finds check_tidy 'tests/unit/test_a.c:2: no fact can be run alone'
rm -r "$root/tests"

plant src/base/a.c "$spdx
void f(int x)
{
$(lines 70)
}"
clean check_tidy
plant src/base/a.c "$spdx

static void f(int x,
              int y)
{
$(lines 71)
}"
finds check_tidy 'src/base/a.c:3: f has 71 lines'
plant src/base/a.c "$spdx

/* flat switch */
void f(int x)
{
$(lines 100)
}"
clean check_tidy
plant src/base/a.c "$spdx

/* flat switch */
void f(int x)
{
$(lines 101)
}"
finds check_tidy 'src/base/a.c:4: f has 101 lines'

plant src/core/drain/a.c "$spdx
/* a comment may speak of malloc(1) and of #include <time.h> */
#include <stdint.h>
#include \"core/drain/a.c\""
clean check_includes
plant src/core/drain/a.c "$spdx
#include <time.h>"
finds check_includes 'src/core/drain/a.c:2: the core may not include <time.h>'
plant src/core/drain/a.c "$spdx
void *f(void) { return malloc(1); }"
finds check_includes "src/core/drain/a.c:2: 'malloc' in the core"
plant src/core/drain/a.c "$spdx
double f(void);"
finds check_includes "src/core/drain/a.c:2: 'double' in the core"
plant src/base/a.c "$spdx
#include \"core/drain/b.h\""
mkdir -p "$root/src/core/drain" && : >"$root/src/core/drain/b.h"
finds check_includes 'src/base/a.c:2: src/base may not include src/core/drain'
plant src/core/maintainer/a.c "$spdx
#include \"core/dispatch/b.h\""
mkdir -p "$root/src/core/dispatch" && : >"$root/src/core/dispatch/b.h"
finds check_includes 'src/core/maintainer/a.c:2: src/core/maintainer may not include src/core/dispatch'
plant src/base/a.c "$spdx
#include \"nowhere.h\""
finds check_includes 'src/base/a.c:2: "nowhere.h" is not found'

plant doc.md "# One heading
[a](#one-heading) [b](tools/checklib.py) \`[c](not/a/link)\`"
clean check_docs
plant doc.md '[a](missing.md)'
finds check_docs 'doc.md:1: link to missing.md: no such file'
plant doc.md '[a](#nothing)'
finds check_docs 'doc.md:1: link to #nothing: no such heading'

mkdir -p "$root/tests/unit" "$root/tests/data"
echo 'cmocka_unit_test(fact)' >"$root/tests/unit/test_a.c"
echo story >"$root/tests/data/story.txt"
mkdir -p "$root/tests/e2e"
echo run >"$root/tests/e2e/test_run.sh"
echo 'def test_that():' >"$root/tests/e2e/scenario_run.py"
plant doc.md "\`test_a.fact\`, \`scenario.story\`, \`e2e.run\`, \`test_that\`, \`tools/checklib.py\`, \`checklib.py\`, \`tests/e2e\`, \`_internal.h\`"
clean check_facts
plant doc.md "\`test_a.fiction\`"
finds check_facts 'doc.md:1: there is no test test_a.fiction'
plant doc.md "\`test_b.fact\`"
finds check_facts 'doc.md:1: there is no test test_b.fact'
plant doc.md "\`test_this\`"
finds check_facts 'doc.md:1: there is no test test_this'
plant doc.md "\`e2e.walk\`"
finds check_facts 'doc.md:1: there is no test e2e.walk'
plant doc.md "\`core/host.c\`"
finds check_facts 'doc.md:1: there is no file core/host.c'
plant doc.md "\`tests/e3e\`"
finds check_facts 'doc.md:1: there is no folder tests/e3e'
plant doc.md "\`scenario.fable\`"
finds check_facts 'doc.md:1: there is no test scenario.fable'
rm -r "$root/tests"

plant src/base/a.h "$spdx
#include <stdint.h>
uint64_t f(void);"
clean check_headers
plant src/base/a.h "$spdx
uint64_t f(void);"
finds check_headers 'src/base/a.h:1: does not compile alone'

# compiled TEXT: plants it in the core, with its object file where the build has it.
compiled() {
    plant src/core/drain/a.c "$spdx
$1"
    objects=$root/build/CMakeFiles/sl_core_drain.dir/src/core/drain
    mkdir -p "$objects"
    cc -std=c17 -c -o "$objects/a.c.o" "$root/src/core/drain/a.c"
}

compiled 'static const char *const names[] = { "a", "b" };
const char *sl_name(int i);
const char *sl_name(int i) { return names[i]; }'
clean check_symbols
compiled 'int sl_f(void); int sl_f(void) { static int calls; return ++calls; }'
finds check_symbols 'src/core/drain/a.c:2: calls'
compiled 'const char *sl_names[] = { "a" };'
finds check_symbols 'src/core/drain/a.c:2: sl_names'
compiled 'int visible(void); int visible(void) { return 1; }'
finds check_symbols 'src/core/drain/a.c:2: global name visible'
compiled 'long clock(void); long sl_f(void); long sl_f(void) { return clock(); }'
finds check_symbols 'src/core/drain/a.c:2: the core calls clock'

exit "$failed"
