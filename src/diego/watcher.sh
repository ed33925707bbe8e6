# Runs one command and sees to it that nothing of it stays behind: see watched-process.ts.
#   $1  the command; CF_INSTANCE_GUID in the environment marks its processes
#   fd 0 death pipe: its end means that our parent is gone · fd 1, 2 the command's output · fd 3 says «up», then the exit code

# The watcher and its guard outlive the signals the group is stopped with.
trap '' TERM INT HUP QUIT

# The shell's own remarks («Killed») are not the command's output, so fd 2 moves to 5.
exec 4<&0 5>&2 </dev/null 2>/dev/null

# The group dies by one signal, this shell included. A process that made a session of its own (a daemon, a browser
# started by a test tool) is not in the group any more; where there is a /proc, the mark in its environment shows it.
end_all() {
  for pass in 1 2 3; do
    found=
    for file in $(grep -lsF "CF_INSTANCE_GUID=$CF_INSTANCE_GUID" /proc/[0-9]*/environ); do
      pid=${file#/proc/}
      pid=${pid%/environ}
      read -r stat <"/proc/$pid/stat" || continue
      set -- ${stat##*) }
      [ "$3" = "$$" ] && continue
      kill -KILL "$pid" && found=1
    done
    [ "$found" ] || break
  done
  kill -KILL 0
}

# The guard. It must not hold the output open.
(
  exec >&- 3>&- 5>&-
  read -r _ <&4
  end_all
) &

# The command gets its signals back, because an ignored one stays ignored over exec. It runs in the foreground: in
# the background it would start with SIGINT and SIGQUIT ignored. A signal that comes before «up» would be lost.
(
  trap - TERM INT HUP QUIT
  echo up >&3
  exec 2>&5 3>&- 4<&- 5>&-
  exec /bin/sh -c "$1"
)
echo $? >&3
end_all
