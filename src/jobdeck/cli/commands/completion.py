"""``jobdeck completion``: a shell completion script, generated from the command line's parser.

The output of shtab is amended where tests in real shells completed nothing, or the wrong thing.
"""

import argparse
import re
import sys

import shtab

from jobdeck.cli.exit_codes import ExitCode
from jobdeck.cli.parser import add_open, build_parser


def run(arguments: argparse.Namespace) -> ExitCode:
    """Print the script for a shell."""
    parser = build_parser()
    add_open(parser)
    _complete_files(parser)
    script = shtab.complete(parser, arguments.shell)
    amend = {"bash": _amend_bash, "zsh": _amend_zsh, "fish": _amend_fish}.get(arguments.shell)
    sys.stdout.write((script if amend is None else amend(script)) + "\n")
    sys.stdout.flush()
    return ExitCode.OK


def _complete_files(parser: argparse.ArgumentParser) -> None:
    """Complete file names for arguments that may be files."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _complete_files(command)
        elif action.metavar in {"FILE", "TARGET"}:
            action.complete = shtab.FILE  # type: ignore[attr-defined] # where shtab looks


_BASH = r"""
# Takes --option=value apart, as bash itself does or not, before the rest looks at it; a target that comes first is
# followed by further ones.
_jobdeck() {
  local -a words=()
  local word attached="" at=$COMP_CWORD index first=""
  for index in "${!COMP_WORDS[@]}"; do
    word="${COMP_WORDS[index]}"
    if [[ $word == "=" && ${words[${#words[@]}-1]} == --* ]]; then
      if (( index == COMP_CWORD )); then words+=(""); else (( index < COMP_CWORD )) && at=$(( at - 1 )); fi
    elif [[ $word == --*=* ]]; then
      (( index == COMP_CWORD )) && attached="${word%%=*}="
      (( index <= COMP_CWORD )) && at=$(( at + 1 ))
      words+=("${word%%=*}" "${word#*=}")
    else
      words+=("$word")
    fi
  done
  local -a COMP_WORDS=("${words[@]}")
  local COMP_CWORD=$at
  for (( index = 1; index < at; index++ )); do
    case "${COMP_WORDS[index]}" in
      --config | --record) index=$(( index + 1 )) ;;
      -*) ;;
      *) first="${COMP_WORDS[index]}"; break ;;
    esac
  done
  if [[ -n $first && " ${_shtab_jobdeck_subparsers[*]} " != *" $first "* && ${COMP_WORDS[at]} != -* ]]; then
    compopt -o filenames 2>/dev/null
    COMPREPLY=()
    while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "${COMP_WORDS[at]}")
  else
    _shtab_jobdeck
  fi
  [[ -z $attached ]] || COMPREPLY=("${COMPREPLY[@]/#/$attached}")
}
"""


def _amend_bash(script: str) -> str:
    # The parser has no completions for targets, which may be files.
    own = "complete -o bashdefault -o default -F _jobdeck jobdeck"
    return script.replace("complete -o bashdefault -F _shtab_jobdeck jobdeck", _BASH + own)


_ZSH = """
if [[ $zsh_eval_context[-1] != (eval|file) ]]; then
  _shtab_jobdeck "$@"  # found in fpath
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i -D; }
  compdef _shtab_jobdeck jobdeck
fi
"""


def _amend_zsh(script: str) -> str:
    """Register when sourced too; complete further targets, files before and after the first, and --option=value."""
    script = script[: script.index("typeset -A opt_args")] + _ZSH.strip()
    script = re.sub(r'^(  ")\(\*\):', r"\1*:", script, flags=re.MULTILINE)
    script = re.sub(r'^(  "--[a-z-]+)(\[.*\]:[A-Z a-z]+:)', r"\1=\2", script, flags=re.MULTILINE)
    script = script.replace(
        "_describe 'jobdeck commands' _commands\n", "_describe 'jobdeck commands' _commands\n  _files\n"
    )
    return script.replace(
        "\n      esac\n",
        "\n        *) _arguments -s ${_shtab_jobdeck_options:#[:*]*} '*:TARGET:_files' ;;\n      esac\n",
    )


def _amend_fish(script: str) -> str:
    """Let fish complete files itself: it does so after --option= too, and where no command is given."""
    files = '"(__fish_complete_path (commandline -ct))"'
    script = script.replace(f"-xka {files}", "-rF").replace(f"-ka {files}", "-F")
    return script + "\ncomplete -c jobdeck -n _shtab_jobdeck_using -F"
