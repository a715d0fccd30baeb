"""A script that completes what follows `make` in bash and zsh; made of tb/bench/keys.py.

It completes in a folder whose Makefile is that of this project; elsewhere `make` is completed as before.
"""

from __future__ import annotations

from collections.abc import Iterator

from tb.bench import keys
from tb.bench.keys import Key

#: What the words of a key with a kind of value are: the shell completes paths itself.
_PATHS = {"file": "@file", "folder": "@folder"}

_TEMPLATE = r"""# Completes what follows `make` in a checkout of PLENA; made by `make completion`.
_plena_words() {
  case "$1" in
@CASES@
  esac
}

_plena_here() {
  [ -f Makefile ] && IFS= read -r _plena_line < Makefile || return 1
  case "$_plena_line" in '# PLENA: '*) ;; *) return 1 ;; esac
}

# The target among some words, if there is one.
_plena_target() {
  for _plena_word in "$@"; do
    if [ -n "$(_plena_words "keys/$_plena_word")" ]; then echo "$_plena_word"; return; fi
  done
}

if [ -n "${ZSH_VERSION-}" ]; then
  _plena_make() {
    if ! _plena_here; then _make "$@"; return; fi
    local target=$(_plena_target ${words[2,-1]})
    if [[ $PREFIX == *=* ]]; then
      local found=$(_plena_words "$target/${(U)PREFIX%%=*}")
      compset -P 1 '*='
      if [[ $found == @folder ]]; then _files -/; elif [[ $found == @file ]]; then _files
      else compadd -- ${=found}; fi
    elif [[ -n $target ]]; then
      compadd -S '' -- ${=$(_plena_words "keys/$target")}
    else
      compadd -- ${=$(_plena_words targets)}
    fi
  }
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
  compdef _plena_make make
elif [ -n "${BASH_VERSION-}" ]; then
  _plena_make() {
    local line=${COMP_LINE:0:COMP_POINT}
    local word=${line##*[[:space:]]} before= target found one
    COMPREPLY=()
    if ! _plena_here; then compopt -o default 2>/dev/null; return; fi
    # shellcheck disable=SC2086
    target=$(_plena_target ${line% *})
    if [[ $word == *=* ]]; then
      found=$(_plena_words "$target/$(echo "${word%%=*}" | tr a-z A-Z)")
      # Where = divides words, the shell replaces what follows it, else all of the word.
      [[ $COMP_WORDBREAKS == *=* ]] || before=${word%%=*}=
      case $found in
        @folder) found=$(compgen -d -- "${word#*=}") ;;
        @file) found=$(compgen -f -- "${word#*=}") ;;
        *) found=$(compgen -W "$found" -- "${word#*=}") ;;
      esac
    elif [ -n "$target" ]; then
      compopt -o nospace 2>/dev/null
      found=$(compgen -W "$(_plena_words "keys/$target")" -- "$word")
    else
      found=$(compgen -W "$(_plena_words targets)" -- "$word")
    fi
    while IFS= read -r one; do [ -z "$one" ] || COMPREPLY+=("$before$one"); done <<< "$found"
  }
  complete -F _plena_make make
fi
"""


def _entries() -> Iterator[tuple[str, str]]:
    """What the shell looks up, and the words that it finds."""
    known: dict[str, dict[str, Key]] = {}
    for name, command in keys.COMMANDS.items():
        for key in command.keys:
            known.setdefault(name.split()[0], {}).setdefault(key.name, key)
    yield "targets", " ".join([*known, *keys.TARGETS])
    for target, of_target in known.items():
        yield f"keys/{target}", " ".join(f"{name}=" for name in of_target)
        for name, key in of_target.items():
            words = _PATHS.get(key.values, "") if isinstance(key.values, str) else " ".join(key.values)
            if words:
                yield f"{target}/{name}", words


def script() -> str:
    """The script; one for both shells."""
    cases = "\n".join(f"    {name}) echo '{words}' ;;" for name, words in _entries())
    return _TEMPLATE.replace("@CASES@", cases)
