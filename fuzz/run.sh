#!/bin/sh
# Fuzzes every target (or the ones named) for SECONDS each. Installs what it needs; see README.md.
# usage: fuzz/run.sh SECONDS_PER_TARGET [TARGET]…        SEED=n repeats a run, TIMEOUT=s is for a busy machine
set -eu

seconds=${1:?usage: fuzz/run.sh SECONDS_PER_TARGET [TARGET]…}
shift
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$here")
tools=$root/target/tools
built=$root/target/fuzz
cd "$here"

rustup toolchain list | grep -q '^nightly' || rustup toolchain install nightly --profile minimal
[ -x "$tools/bin/cargo-fuzz" ] || cargo install cargo-fuzz --locked --root "$tools"
PATH=$tools/bin:$PATH

[ $# -gt 0 ] || set -- config reader judge redact room_protocol control_protocol cron
seed=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
host=$(rustc +nightly -vV | sed -n 's/^host: //p')
cargo +nightly fuzz build --fuzz-dir . --target-dir "$built"

failed=
for target; do
    echo "fuzz: $target for $seconds s, seed $seed"
    mkdir -p "corpus/$target"
    case $target in
    config) more=$root/config ;;
    reader) more=$(find "$root/tests" -type d -name recordings | head -n 1) ;;
    *) more= ;;
    esac
    dictionary=
    [ ! -f "dictionaries/$target" ] || dictionary=-dict=dictionaries/$target
    # The program itself, not `cargo fuzz run`, which builds again when somebody edits meanwhile. A memory limit and a
    # time limit: what needs more than these for so short an input is a finding, too.
    mkdir -p "artifacts/$target"
    # shellcheck disable=SC2086 # no words, or one
    "$built/$host/release/$target" "corpus/$target" "seeds/$target" $more \
        -artifact_prefix="artifacts/$target/" -max_total_time="$seconds" -seed="$seed" -max_len=8192 -timeout="${TIMEOUT:-5}" \
        -rss_limit_mb=1024 -print_final_stats=1 $dictionary || failed="$failed $target"
done
[ -z "$failed" ] || { echo "fuzz: findings in:$failed (inputs in fuzz/artifacts/)" >&2; exit 1; }
echo "fuzz: nothing found"
