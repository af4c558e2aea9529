#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# INFO: what the broker says of itself, and when it says it again.
# shellcheck disable=SC2016 # the dollar signs belong to the protocol

load lib.bash

@test "the broker speaks first, one line of JSON" {
	start_broker
	open c
	hear_info c
	[[ $(info server_id) =~ ^\"N[A-Z2-7]{55}\"$ ]]
	[[ $(info server_name) == "$(info server_id)" ]]
	[[ $(info version) =~ ^\"[0-9]+\.[0-9]+\.[0-9]+ ]]
	[[ $(info proto) == 1 ]]
	[[ $(info host) == '"127.0.0.1"' ]]
	[[ $(info port) == "$PORT" ]]
	[[ $(info headers) == true ]]
	[[ $(info max_payload) == 1048576 ]]
	[[ $(info client_id) =~ ^[1-9][0-9]*$ ]]
	[[ $(info client_ip) == '"127.0.0.1"' ]]
	hear_nothing c
}

@test "what does not apply is left out" {
	start_broker
	open c
	hear_info c
	local key
	for key in auth_required tls_required tls_verify tls_available jetstream nonce cluster connect_urls \
		ws_connect_urls ldm connect_info remote_account; do
		[[ $(info "$key") == null ]] || fail "$key is $(info "$key")"
	done
}

@test "client ids grow, the server id stays" {
	start_broker
	open a
	hear_info a
	local id server_id
	id=$(info client_id)
	server_id=$(info server_id)
	open b
	hear_info b
	(($(info client_id) > id))
	[[ $(info server_id) == "$server_id" ]]

	restart_broker
	open c
	hear_info c
	[[ $(info server_id) != "$server_id" ]]
}

@test "the server's name, its payload limit and the lack of headers are told" {
	start_broker --name 'a<b>&"c' --max_payload 4096 --no_header_support
	open c
	hear_info c
	[[ $(info server_name) == '"a<b>&\"c"' ]]
	[[ $(info max_payload) == 4096 ]]
	[[ $(info headers) == false ]]
}

@test "client_advertise replaces host and port" {
	start_broker --client_advertise nats.example.org:4333
	open c
	hear_info c
	[[ $(info host) == '"nats.example.org"' ]]
	[[ $(info port) == 4333 ]]
	close c

	stop_broker
	start_broker --client_advertise nats.example.org
	open c
	hear_info c
	[[ $(info host) == '"nats.example.org"' ]]
	[[ $(info port) == "$PORT" ]]
}

@test "INFO comes again after the first PING, once, for a client of protocol 1" {
	start_broker
	open c
	hear_info c
	local id
	id=$(info client_id)
	say c 'CONNECT {"verbose":false,"protocol":1}' PING
	hear c PONG
	hear_info c
	[[ $(info connect_info) == true ]]
	[[ $(info remote_account) == '"$G"' ]]
	[[ $(info client_id) == "$id" ]]
	[[ $(info max_payload) == 1048576 ]]
	[[ $(info nonce) == null ]]
	say c PING PING
	hear c PONG PONG
	hear_nothing c
}

@test "INFO does not come again for a client of protocol 0, or without CONNECT" {
	start_broker
	open c
	hear_info c
	say c PING 'CONNECT {"verbose":false}' PING 'CONNECT {"protocol":0}' PING
	hear c PONG PONG PONG
	hear_nothing c
}

@test "version is the level clients rely on, minats its own" {
	ours 'a version of its own in INFO'
	differs info-version
	start_broker
	open c
	hear_info c
	[[ $(info version) == '"2.9.25"' ]]
	[[ "minats: v$(info minats | tr -d '"')" == "$("$MINATS" -v)" ]]
	[[ $(info go) == null ]]
}

@test "what minats does not have is not told" {
	differs info-extras
	start_broker
	join c '"protocol":1'
	local key
	for key in git_commit go xkey api_lvl jetstream domain; do
		[[ $(info "$key") == null ]] || fail "$key is $(info "$key")"
	done
}
