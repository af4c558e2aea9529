// SPDX-License-Identifier: MIT

// What a user of the Go client library expects of a broker, one case a run: client URL CASE.
//
// Exits 0 when the case holds; else says on stderr which line did not, and why. The case
// `reconnect` prints a line `restart` when it wants the broker restarted, and waits for it.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	patience   = 20 * time.Second // for what must happen; long, for a busy machine
	maxPayload = 1048576
)

var url string

func fail(format string, arguments ...any) {
	_, _, line, _ := runtime.Caller(2)
	fmt.Fprintf(os.Stderr, "main.go:%d: %s\n", line, fmt.Sprintf(format, arguments...))
	os.Exit(1)
}

func check(holds bool, format string, arguments ...any) {
	if !holds {
		fail(format, arguments...)
	}
}

func ok(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func gives(wanted, err error) {
	if !errors.Is(err, wanted) {
		fail("%v instead of %v", err, wanted)
	}
}

func dial(options ...nats.Option) *nats.Conn {
	nc, err := nats.Connect(url, append(options, nats.Timeout(patience))...)
	ok(err)
	return nc
}

func hear(nc *nats.Conn, subject string) *nats.Subscription {
	sub, err := nc.SubscribeSync(subject)
	ok(err)
	ok(nc.FlushTimeout(patience))
	return sub
}

func nextIs(sub *nats.Subscription, subject string, payload []byte) *nats.Msg {
	msg, err := sub.NextMsg(patience)
	ok(err)
	check(msg.Subject == subject, "subject %q instead of %q", msg.Subject, subject)
	check(bytes.Equal(msg.Data, payload), "payload differs: %d bytes, %d wanted",
		len(msg.Data), len(payload))
	return msg
}

// All that was sent before on this connection has come back: nothing can be on the way.
func isSilent(nc *nats.Conn, subs ...*nats.Subscription) {
	ok(nc.FlushTimeout(patience))
	for _, sub := range subs {
		pending, _, err := sub.Pending()
		ok(err)
		check(pending == 0, "%d more on %s", pending, sub.Subject)
	}
}

// Every byte there is, then what would be protocol if it were not payload.
func binary() []byte {
	var every []byte
	for i := range 256 {
		every = append(every, byte(i))
	}
	return append(every, "\r\nPING\r\n-ERR 'x'\r\nMSG a 1 1\r\n\r\n"...)
}

func noise(length int) []byte {
	made := make([]byte, length)
	rand.New(rand.NewSource(1)).Read(made)
	return made
}

func echo(msg *nats.Msg) {
	ok(msg.Respond(msg.Data))
}

func onConnect() {
	one, two := dial(), dial()
	check(one.MaxPayload() == maxPayload, "max_payload is %d", one.MaxPayload())
	check(one.HeadersSupported(), "no headers")
	check(one.ConnectedServerId() != "", "no server_id")
	check(one.ConnectedServerVersion() != "", "no version")
	idOne, err := one.GetClientID()
	ok(err)
	idTwo, err := two.GetClientID()
	ok(err)
	check(idOne != idTwo, "both clients have the id %d", idOne)
	ip, err := one.GetClientIP()
	ok(err)
	check(ip.String() == "127.0.0.1", "client_ip is %v", ip)
	_, err = one.RTT()
	ok(err)
	one.Close()
	two.Close()
}

func onPubsub() {
	speaker, listener, deaf := dial(), dial(), dial(nats.NoEcho())
	subs := []*nats.Subscription{hear(listener, "news"), hear(speaker, "news")}
	muted := hear(deaf, "quiet")
	large := noise(maxPayload)
	payloads := [][]byte{[]byte("Hello John!"), {}, binary(), large[1:], large}
	for i := range 1000 {
		payloads = append(payloads, []byte(strconv.Itoa(i)))
	}
	for _, payload := range payloads {
		ok(speaker.Publish("news", payload))
	}
	gives(nats.ErrMaxPayload, speaker.Publish("news", noise(maxPayload+1)))
	for _, sub := range subs {
		for _, payload := range payloads {
			nextIs(sub, "news", payload)
		}
	}
	ok(deaf.Publish("quiet", []byte("not to me")))
	isSilent(deaf, muted)
	isSilent(listener, subs[0])
	isSilent(speaker, subs[1])
	for _, nc := range []*nats.Conn{speaker, listener, deaf} {
		nc.Close()
	}
}

func onWildcards() {
	nc := dial()
	said := []string{"shop.red.sold", "shop.blue.sold", "shop.red", "shop",
		"shop.red.sold.twice", "shops.red.sold"}
	star, tail, all := hear(nc, "shop.*.sold"), hear(nc, "shop.>"), hear(nc, ">")
	for _, subject := range said {
		ok(nc.Publish(subject, []byte(subject)))
	}
	for _, subject := range said {
		nextIs(all, subject, []byte(subject))
	}
	for _, i := range []int{0, 1} {
		nextIs(star, said[i], []byte(said[i]))
	}
	for _, i := range []int{0, 1, 2, 4} {
		nextIs(tail, said[i], []byte(said[i]))
	}
	isSilent(nc, star, tail, all)
	nc.Close()
}

func onQueue() {
	const members, messages = 3, 300
	speaker := dial()
	var conns []*nats.Conn
	var subs []*nats.Subscription
	for range members {
		nc := dial()
		sub, err := nc.QueueSubscribeSync("jobs.*", "workers")
		ok(err)
		ok(nc.FlushTimeout(patience))
		conns, subs = append(conns, nc), append(subs, sub)
	}
	for i := range messages {
		ok(speaker.Publish("jobs.new", []byte(strconv.Itoa(i))))
	}
	ok(speaker.FlushTimeout(patience))
	times := map[string]int{}
	for i, nc := range conns {
		ok(nc.FlushTimeout(patience)) // the PONG comes behind all that was routed
		share, _, err := subs[i].Pending()
		ok(err)
		check(share > 0, "a member got nothing")
		for range share {
			msg, err := subs[i].NextMsg(patience)
			ok(err)
			times[string(msg.Data)]++
		}
		nc.Close()
	}
	for i := range messages {
		number := strconv.Itoa(i)
		check(times[number] == 1, "message %s came %d times", number, times[number])
	}
	check(len(times) == messages, "%d different messages", len(times))
	speaker.Close()
}

func onHeaders() {
	nc := dial()
	sub := hear(nc, "letters")
	header := nats.Header{
		"Single": {"a value: with a colon, ünïcode"},
		"Many":   {"one", "two", "three"},
	}
	for _, payload := range [][]byte{binary(), {}} {
		ok(nc.PublishMsg(&nats.Msg{Subject: "letters", Header: header, Data: payload}))
		msg := nextIs(sub, "letters", payload)
		same := maps.EqualFunc(msg.Header, header, slices.Equal)
		check(same, "headers are %v", msg.Header)
	}
	ok(nc.Publish("letters", []byte("bare")))
	msg := nextIs(sub, "letters", []byte("bare"))
	check(len(msg.Header) == 0, "headers are %v", msg.Header)
	nc.Close()
}

func onRequest() {
	server, client, oldStyle := dial(), dial(), dial(nats.UseOldRequestStyle())
	_, err := server.Subscribe("service", echo)
	ok(err)
	ok(server.FlushTimeout(patience))
	payloads := [][]byte{{}, binary(), noise(maxPayload)}
	for i := range 100 {
		payloads = append(payloads, []byte(strconv.Itoa(i)))
	}
	var all sync.WaitGroup
	for _, payload := range payloads {
		all.Add(1)
		go func() {
			defer all.Done()
			reply, err := client.Request("service", payload, patience)
			ok(err)
			check(bytes.Equal(reply.Data, payload), "reply of %d bytes, not of %d",
				len(reply.Data), len(payload))
		}()
	}
	all.Wait()
	// An inbox and a subscription for each request, instead of one for all.
	reply, err := oldStyle.Request("service", binary(), patience)
	ok(err)
	check(bytes.Equal(reply.Data, binary()), "another reply in the old style")
	for _, nc := range []*nats.Conn{server, client, oldStyle} {
		nc.Close()
	}
}

func onNoresponders() {
	nc := dial()
	_, err := nc.Request("nobody.home", []byte("hello?"), patience)
	gives(nats.ErrNoResponders, err)
	nc.Close()
}

func onUnsubscribe() {
	nc := dial()
	sub := hear(nc, "ticks")
	ok(sub.AutoUnsubscribe(3))
	for i := range 5 {
		ok(nc.Publish("ticks", []byte(strconv.Itoa(i))))
	}
	ok(nc.FlushTimeout(patience))
	// On the wire: the library would drop a fourth by itself.
	check(nc.Stats().InMsgs == 3, "%d messages came in", nc.Stats().InMsgs)
	for i := range 3 {
		nextIs(sub, "ticks", []byte(strconv.Itoa(i)))
	}
	_, err := sub.NextMsg(patience)
	gives(nats.ErrMaxMessages, err)

	sub = hear(nc, "ticks")
	ok(nc.Publish("ticks", []byte("a")))
	nextIs(sub, "ticks", []byte("a"))
	ok(sub.Unsubscribe())
	ok(nc.Publish("ticks", []byte("b")))
	ok(nc.FlushTimeout(patience))
	check(nc.Stats().InMsgs == 4, "%d messages came in", nc.Stats().InMsgs)
	nc.Close()
}

func onDrain() {
	const messages = 500
	closed := make(chan struct{})
	onClosed := nats.ClosedHandler(func(*nats.Conn) { close(closed) })
	listener := dial(nats.DrainTimeout(patience), onClosed)
	speaker := dial()
	received := 0
	_, err := listener.Subscribe("flood", func(*nats.Msg) { received++ })
	ok(err)
	ok(listener.FlushTimeout(patience))
	for i := range messages {
		ok(speaker.Publish("flood", []byte(strconv.Itoa(i))))
	}
	ok(speaker.FlushTimeout(patience))
	ok(listener.Drain())
	select {
	case <-closed:
	case <-time.After(patience):
		check(false, "the drained connection was not closed")
	}
	check(received == messages, "%d messages came in", received)
	_, err = speaker.Request("flood", nil, patience)
	gives(nats.ErrNoResponders, err)
	speaker.Close()
}

func onReconnect() {
	back := make(chan struct{}, 1)
	nc := dial(
		nats.MaxReconnects(-1),
		nats.ReconnectWait(20*time.Millisecond),
		nats.ReconnectJitter(time.Millisecond, time.Millisecond),
		nats.ReconnectHandler(func(*nats.Conn) { back <- struct{}{} }),
	)
	plain, wild := hear(nc, "again.one"), hear(nc, "again.*")
	queue, err := nc.QueueSubscribeSync("again.>", "workers")
	ok(err)
	_, err = nc.Subscribe("service", echo)
	ok(err)
	limited := hear(nc, "again.*")
	ok(limited.AutoUnsubscribe(3)) // the library must ask the new broker for the other two
	for _, round := range []string{"before", "after"} {
		ok(nc.Publish("again.one", []byte(round)))
		for _, sub := range []*nats.Subscription{plain, wild, queue, limited} {
			nextIs(sub, "again.one", []byte(round))
		}
		isSilent(nc, plain, wild, queue, limited)
		reply, err := nc.Request("service", []byte(round), patience)
		ok(err)
		check(string(reply.Data) == round, "reply is %q", reply.Data)
		if round == "before" {
			fmt.Println("restart")
			select {
			case <-back:
			case <-time.After(patience):
				check(false, "did not reconnect")
			}
		}
	}
	nc.Close()
}

// By what stands in the URL, or by the nkey whose seed is in the file SEED.
func onLogin() {
	var options []nats.Option
	if seed := os.Getenv("SEED"); seed != "" {
		option, err := nats.NkeyOptionFromSeed(seed)
		ok(err)
		options = append(options, option)
	}
	nc := dial(options...)
	sub := hear(nc, "hello")
	ok(nc.Publish("hello", []byte("it is me")))
	nextIs(sub, "hello", []byte("it is me"))
	nc.Close()
}

func onRefused() {
	_, err := nats.Connect(url, nats.Timeout(patience))
	gives(nats.ErrAuthorization, err)
}

var cases = map[string]func(){
	"login":        onLogin,
	"refused":      onRefused,
	"connect":      onConnect,
	"pubsub":       onPubsub,
	"wildcards":    onWildcards,
	"queue":        onQueue,
	"headers":      onHeaders,
	"request":      onRequest,
	"noresponders": onNoresponders,
	"unsubscribe":  onUnsubscribe,
	"drain":        onDrain,
	"reconnect":    onReconnect,
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: client URL CASE")
		os.Exit(2)
	}
	run, known := cases[os.Args[2]]
	if !known {
		fmt.Fprintln(os.Stderr, "client: there is no case", os.Args[2])
		os.Exit(2)
	}
	url = os.Args[1]
	run()
}
