# shellcheck shell=bash
# Sourced by the launch scripts, from the top of the project: make_environment DIR [EXTRAS].

# Makes or brings up to date the virtual environment DIR with the package (editable) and EXTRAS, as "test,parity",
# at the exact versions of constraints.txt. Set PYTHON to choose the interpreter.
make_environment() {
    local directory=$1 extras=${2:-} python=${PYTHON:-python3} wanted
    wanted="$directory/.installed-$({ cat setup.cfg constraints.txt; echo "$extras"; "$python" --version; } | cksum | tr -d ' ')"
    [ -e "$wanted" ] && return
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
        echo "launch: Python 3.11 or newer is needed; set PYTHON to one, as PYTHON=python3.12 bash launch/..." >&2
        exit 2
    }
    echo "Installing into $directory (a minute or two the first time)"
    "$python" -m venv --clear "$directory"
    "$directory/bin/python" -m pip install --quiet --upgrade pip
    "$directory/bin/python" -m pip install --quiet --constraint constraints.txt --editable ".${extras:+[$extras]}"
    rm -f "$directory"/.installed-*
    touch "$wanted"
}
