# shellcheck shell=bash
# Sourced by the launchers: how they read their options and run, or with --dry-run print, their commands.

DRY_RUN=${DRY_RUN:-}

# Ends with one sentence about what the user gave.
fail() {
    echo "$(basename "$0"): $*" >&2
    exit 2
}

# Prints the comment at the head of the launcher, which is its help.
help() {
    sed -n '2,/^[^#]/ { s/^# \{0,1\}//p; }' "$0"
    exit 0
}

# need OPTION VALUE: an option that takes a value was given one.
need() {
    case ${2:-} in "" | --*) fail "$1 needs a value; see --help" ;; esac
}

# whole OPTION VALUE LEAST: VALUE is a whole number of at least LEAST.
whole() {
    case $2 in "" | *[!0-9]*) fail "$1 is '$2': give a whole number" ;; esac
    [ "$2" -ge "$3" ] || fail "$1 is $2: give at least $3"
}

# tool NAME HINT: a program that the launcher calls is there; a dry run needs none.
tool() {
    [ -n "$DRY_RUN" ] || command -v "$1" >/dev/null || fail "$1 is not installed: $2"
}

# training_arguments ARGUMENT...: what is for `slm train` names a config and a folder that exists on all machines.
training_arguments() {
    case " $*" in *" --config="*) ;; *) fail "give the arguments of slm train after --, as -- --config=FILE --workdir=DIR" ;; esac
    worker_arguments "$@"
}

# worker_arguments ARGUMENT...: what is for `slm study train` names the folder of the study, which has the config.
worker_arguments() {
    case " $*" in *" --workdir="*) ;; *) fail "give --workdir=DIR after --: a folder that all processes see" ;; esac
}

# The command line of its arguments, as a shell would read it again.
quoted() {
    local line
    printf -v line '%q ' "$@"
    printf '%s' "${line% }"
}

# step COMMAND...: runs the command, or prints it.
step() {
    if [ -n "$DRY_RUN" ]; then
        quoted "$@"
        echo
    else
        "$@"
    fi
}
