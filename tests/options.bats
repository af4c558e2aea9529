#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The command line is that of nats-server, and what is not there is refused by name.

load lib.bash

@test "an option has one or two dashes, and its value follows or is joined by =" {
	local -a options
	local text
	# 127.0.0.2 shows that the later option was taken.
	for text in '-a 127.0.0.2' '-a=127.0.0.2' '--a 127.0.0.2' '-addr 127.0.0.2' '--addr=127.0.0.2' '--net 127.0.0.2' \
		'-net=127.0.0.2' '-p=-1 -a 127.0.0.2' '--port -1 -a 127.0.0.2' '-port=-1 -a 127.0.0.2'; do
		read -ra options <<<"$text"
		start_broker "${options[@]}"
		open c "$PORT" 127.0.0.2
		hear_info c
		[[ $(info host) == '"127.0.0.2"' ]] || fail "$text was not taken"
		stop_broker
	done
}

@test "the names of the server" {
	local option
	for option in -n --name -server_name; do
		start_broker "$option" hugo
		open c
		hear_info c
		[[ $(info server_name) == '"hugo"' ]]
		stop_broker
	done
}

@test "a switch may have a value" {
	start_broker -D=false -T=false
	join c
	stop_broker
	refute log_has '\[DBG\]'
	log_has '^\[[0-9]+\] \[INF\] '
	: >"$LOG"
	start_broker --debug=true --logtime=true
	join c
	await_log '^\[[0-9]+\] [0-9]{4}/[0-9]{2}/[0-9]{2} [0-9:]{8}\.[0-9]{6} \[DBG\] '
}

@test "-v prints the version" {
	local name=nats-server option
	is_nats_server || name=minats
	for option in -v --version version; do
		run -0 --separate-stderr "$MINATS" "$option"
		[[ $output =~ ^"$name: v"[0-9]+\.[0-9]+\.[0-9]+ ]]
	done
}

@test "-h prints the options" {
	local option
	for option in -h --help help; do
		run -0 "$MINATS" "$option"
		[[ $output == *--port* && $output == *--addr* && $output == *--max_payload* || $output == *--signal* ]]
	done
}

@test "a word that is no option is refused" {
	refuses 'unrecognized command' bogus -- bogus
	refuses 'unrecognized command' bogus -- -p -1 bogus
}

@test "an unknown option, and a missing value, is named on stderr" {
	differs unknown-flag
	refuses bogus -- -a 127.0.0.1 -p -1 --bogus
	refuses bogus -- -a 127.0.0.1 -p -1 -bogus=1
	refuses bogus -- -a 127.0.0.1 -p -1 --bogus 1
	refuses bogus -- -a 127.0.0.1 -p -1 ---bogus
	refuses port -- -a 127.0.0.1 --port
	refuses max_payload -- -a 127.0.0.1 -p -1 --max_payload
}

@test "options of what is not there are refused by name" {
	differs features
	local option
	for option in -m --http_port -ms --https_port --tlscert --tlskey --tlscacert -sd \
		--store_dir --routes --cluster --cluster_listen --cluster_name --cluster_advertise --profile \
		--connect_retries; do
		refuses "$option" -- -a 127.0.0.1 -p -1 "$option" 1
		refuses "$option" -- -a 127.0.0.1 -p -1 "$option=1"
	done
	for option in --tls --tlsverify -js --jetstream --no_advertise; do
		refuses "$option" -- -a 127.0.0.1 -p -1 "$option"
	done
}

@test "a bad value is refused with the option's name" {
	differs unknown-flag
	local case option value
	for case in '--port x' '--port 65536' '--port -2' '--port 1x' '--max_payload x' '--max_payload -5' '--max_payload 999999999999' '--max_control_line 0' \
		'--max_control_line -1' '--max_subscriptions x' '--max_subscription_tokens 256' '--max_pending 0' \
		'--max_pending x' '--ping_interval x' '--ping_interval 5parsecs' '--ping_interval -1s' '--ping_max x' \
		'--write_deadline x' '--write_deadline -1s' '--lame_duck_duration soon' '--max_traced_msg_len x' \
		'--debug=maybe' '--client_advertise a/b'; do
		IFS=' =' read -r option value <<<"$case"
		if [[ $case == *=* ]]; then
			refuses "${option#--}" "$value" -- -a 127.0.0.1 -p -1 "$case"
		else
			refuses "${option#--}" "$value" -- -a 127.0.0.1 -p -1 "$option" "$value"
		fi
	done
}

@test "an address that is none is refused with the option's name" {
	differs sockets
	local value
	for value in 127.0.0.1:65536 127.0.0.1:-2 127.0.0.1:x unix:; do
		refuses listen "$value" -- --listen "$value"
	done
	refuses client_advertise a:x -- -a 127.0.0.1 -p -1 --client_advertise a:x
	refuses client_advertise :x -- -a 127.0.0.1 -p -1 --client_advertise :x
}

@test "options that exclude each other are refused" {
	differs sockets
	refuses listen addr -- -a 127.0.0.1 --listen 127.0.0.1:-1
	refuses listen port -- -p -1 --listen 127.0.0.1:-1
	refuses inetd port -- -p -1 --inetd
	refuses inetd listen -- --inetd --listen 127.0.0.1:-1
}

@test "--exit-idle-time is refused where nobody starts it again" {
	ours '--exit-idle-time'
	refuses exit-idle-time 'start minats again' -- -a 127.0.0.1 -p -1 --exit-idle-time 5
	refuses exit-idle-time '"never"' '0s to 86400s' -- --exit-idle-time never
}

@test "a name with a space is refused" {
	refuses name -- -a 127.0.0.1 -p -1 --name 'a b'
}

@test "max_payload may not exceed max_pending" {
	differs option-limits
	refuses max_payload max_pending -- -a 127.0.0.1 -p -1 --max_payload 2048 --max_pending 1024
}

@test "a host that cannot be bound, and a directory that is not there, are fatal" {
	refuses 192.0.2.77 -- -a 192.0.2.77 -p -1
	refuses /nowhere/log -- -a 127.0.0.1 -p -1 -l /nowhere/log
}
