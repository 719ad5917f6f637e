# shellcheck shell=bash
# Completion of turnpikectl for bash. Commands, options and values come from --help, so that they are not
# listed again here.

# Reads `PROGRAM COMMAND... --help` into the caller's `commands`, `arguments` and `options`. The value of an argument or an
# option is what it takes: words, or a name in capitals (FILE); of an option that takes nothing it is empty.
_turnpikectl_read_help() {
  local line section=''
  local value='([A-Z]+)(:\{([a-z,]+)\})?'
  local option="^ +(-.,? *)?(--[a-z-]+)( $value)?" argument="^  ([A-Z_]+) $value" command='^  ([a-z]+) '
  commands=() arguments=()
  while IFS= read -r line; do
    if [[ $line =~ ^([A-Za-z]+):$ ]]; then
      section=${BASH_REMATCH[1],,}
    elif [[ $section == options && $line =~ $option ]]; then
      options[${BASH_REMATCH[2]}]=${BASH_REMATCH[6]:-${BASH_REMATCH[4]}}
    elif [[ $section == positionals && $line =~ $argument ]]; then
      arguments+=("${BASH_REMATCH[4]:-${BASH_REMATCH[1]}}")
    elif [[ $section == subcommands && $line =~ $command ]]; then
      commands+=("${BASH_REMATCH[1]}")
    fi
  done < <("$@" --help 2>/dev/null)
}

# _turnpikectl_offer WHAT: the values of an option or an argument that takes WHAT.
_turnpikectl_offer() {
  case $1 in
    FILE | PATH) compopt -o default ;;  # readline knows best how to write the name of a file
    *[a-z]*) mapfile -t COMPREPLY < <(compgen -W "${1//,/ }" -- "$word") ;;
  esac
}

_turnpikectl() {
  local each takes='' word=${COMP_WORDS[COMP_CWORD]}
  local -a commands arguments path=("$1")
  local -A options=()
  COMPREPLY=()
  _turnpikectl_read_help "${path[@]}"
  for each in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [[ $each == '=' ]]; then
      continue  # --sort=rate comes as three words
    elif [[ -n $takes ]]; then
      takes=''
    elif [[ $each == -* ]]; then
      takes=${options[$each]-}
    elif ((${#commands[@]} == 0)); then
      arguments=("${arguments[@]:1}")
    elif [[ " ${commands[*]} " == *" $each "* ]]; then
      path+=("$each")
      _turnpikectl_read_help "${path[@]}"
    fi
  done
  if [[ $word == '=' ]]; then word=''; fi

  if [[ -n $takes ]]; then
    _turnpikectl_offer "$takes"
  elif [[ $word == -* || (${#commands[@]} == 0 && ${#arguments[@]} == 0) ]]; then
    mapfile -t COMPREPLY < <(compgen -W "${!options[*]}" -- "$word")
  elif ((${#commands[@]} != 0)); then
    mapfile -t COMPREPLY < <(compgen -W "${commands[*]}" -- "$word")
  else
    _turnpikectl_offer "${arguments[0]}"
  fi
}
complete -F _turnpikectl turnpikectl
