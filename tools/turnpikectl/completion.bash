# Completion of turnpikectl for bash.
_turnpikectl() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command='' each
  local commands='status allocations kill nodes drain reload loglevel user revoke credentials import check'
  for each in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ " $commands " == *" $each "* ]] && command=$each && break
  done
  case $previous in
    --socket | --config) mapfile -t COMPREPLY < <(compgen -f -- "$word") && return ;;
    --sort) mapfile -t COMPREPLY < <(compgen -W 'age rate' -- "$word") && return ;;
  esac
  case $command in
    '') mapfile -t COMPREPLY < <(compgen -W "$commands --socket --json --help --version" -- "$word") ;;
    allocations) mapfile -t COMPREPLY < <(compgen -W '--user --address --sort --watch --json' -- "$word") ;;
    status | nodes) mapfile -t COMPREPLY < <(compgen -W '--json' -- "$word") ;;
    kill) mapfile -t COMPREPLY < <(compgen -W '--user --json' -- "$word") ;;
    drain) mapfile -t COMPREPLY < <(compgen -W '--deadline --until --json' -- "$word") ;;
    reload) mapfile -t COMPREPLY < <(compgen -W '--dry-run --json' -- "$word") ;;
    loglevel) mapfile -t COMPREPLY < <(compgen -W 'debug info warning error' -- "$word") ;;
    user)
      case $previous in
        user) mapfile -t COMPREPLY < <(compgen -W 'add list passwd remove' -- "$word") ;;
        *) mapfile -t COMPREPLY < <(compgen -W '--generate --json' -- "$word") ;;
      esac
      ;;
    revoke) mapfile -t COMPREPLY < <(compgen -W '--subject --for' -- "$word") ;;
    import)
      case $previous in
        import) mapfile -t COMPREPLY < <(compgen -W 'coturn' -- "$word") ;;
        *) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
      esac
      ;;
    credentials) mapfile -t COMPREPLY < <(compgen -W '--ttl --host --config --json' -- "$word") ;;
    check) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
  esac
}
complete -F _turnpikectl turnpikectl
