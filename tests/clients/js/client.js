// SPDX-License-Identifier: MIT
//
// What a user of the JavaScript client library expects of a broker, one case a run:
// node client.js URL CASE.
//
// Exits 0 when the case holds; else says on stderr where it did not, and why. The case
// `reconnect` prints a line `restart` when it wants the broker restarted, and waits for it.
"use strict";

const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const { connect, errors, headers, nkeyAuthenticator } = require("@nats-io/transport-node");

const PATIENCE_MS = 20000; // for what must happen; long, for a busy machine
const MAX_PAYLOAD = 1048576;
const [url, name] = process.argv.slice(2);

// The library does not look at what stands before the host.
function credentials() {
	const { username, password } = new URL(url);
	if (!username) return {};
	return password ? { user: username, pass: password } : { token: username };
}

const dial = (options = {}) => connect({
	servers: new URL(url).host,
	timeout: PATIENCE_MS,
	...credentials(),
	...options,
});

// A promise that must settle in time. The timer must not keep the process alive by itself.
function soon(promise, what) {
	let timer;
	const late = new Promise((_, reject) => {
		const giveUp = () => reject(new Error(`waited too long for ${what}`));
		timer = setTimeout(giveUp, PATIENCE_MS);
	});
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// A subscription whose messages are kept; `next()` takes the oldest, or waits for one.
async function hear(nc, subject, options = {}) {
	const kept = [];
	const waiting = [];
	const sub = nc.subscribe(subject, {
		...options,
		callback: (error, msg) => {
			if (error) throw error;
			const taker = waiting.shift();
			if (taker) taker(msg);
			else kept.push(msg);
		},
	});
	await soon(nc.flush(), "flush");
	const next = () => kept.length > 0 ? Promise.resolve(kept.shift())
		: soon(new Promise((resolve) => waiting.push(resolve)), `a message on ${subject}`);
	return { sub, kept, next };
}

const bytes = (text) => new TextEncoder().encode(text);

function same(got, wanted) {
	assert.equal(Buffer.compare(Buffer.from(got), Buffer.from(wanted)), 0, "payload differs");
}

async function nextIs(heard, subject, payload) {
	const msg = await heard.next();
	assert.equal(msg.subject, subject);
	same(msg.data, payload);
	return msg;
}

// All that was sent before on this connection has come back: nothing can be on the way.
async function isSilent(nc, ...all) {
	await soon(nc.flush(), "flush");
	for (const heard of all) assert.equal(heard.kept.length, 0);
}

// Every byte there is, then what would be protocol if it were not payload.
function binary() {
	const every = Uint8Array.from({ length: 256 }, (_, i) => i);
	return Buffer.concat([every, bytes("\r\nPING\r\n-ERR 'x'\r\nMSG a 1 1\r\n\r\n")]);
}

function noise(length) {
	const made = new Uint8Array(length);
	let state = 1;
	for (let i = 0; i < length; i++) {
		state = (Math.imul(state, 1103515245) + 12345) >>> 0;
		made[i] = state >>> 16;
	}
	return made;
}

async function noResponders(nc, subject) {
	await assert.rejects(nc.request(subject, "hello?", { timeout: PATIENCE_MS }), (error) => {
		assert.ok(error instanceof errors.RequestError, String(error));
		assert.ok(error.isNoResponders(), String(error));
		return true;
	});
}

const cases = {
	async connect() {
		const one = await dial();
		const two = await dial();
		assert.equal(one.info.max_payload, MAX_PAYLOAD);
		assert.equal(one.info.headers, true);
		assert.equal(one.info.client_ip, "127.0.0.1");
		assert.equal(one.info.port, Number(new URL(url).port));
		assert.ok(one.info.server_id.length > 0);
		assert.match(one.info.version, /^\d+\.\d+\.\d+/);
		assert.notEqual(one.info.client_id, two.info.client_id);
		assert.ok(await soon(one.rtt(), "rtt") >= 0);
		await one.close();
		await two.close();
	},

	async pubsub() {
		const speaker = await dial();
		const listener = await dial();
		const deaf = await dial({ noEcho: true });
		const others = await hear(listener, "news");
		const echo = await hear(speaker, "news");
		const muted = await hear(deaf, "quiet");
		const large = noise(MAX_PAYLOAD);
		const payloads = [bytes("Hello John!"), new Uint8Array(0), binary()];
		payloads.push(large.subarray(1), large);
		for (let i = 0; i < 1000; i++) payloads.push(bytes(String(i)));
		for (const payload of payloads) speaker.publish("news", payload);
		assert.throws(() => speaker.publish("news", noise(MAX_PAYLOAD + 1)),
			errors.InvalidArgumentError);
		for (const heard of [others, echo]) {
			for (const payload of payloads) await nextIs(heard, "news", payload);
		}
		deaf.publish("quiet", "not to me");
		await isSilent(deaf, muted);
		await isSilent(speaker, echo);
		await isSilent(listener, others);
		for (const nc of [speaker, listener, deaf]) await nc.close();
	},

	async wildcards() {
		const nc = await dial();
		const said = ["shop.red.sold", "shop.blue.sold", "shop.red", "shop",
			"shop.red.sold.twice", "shops.red.sold"];
		const star = await hear(nc, "shop.*.sold");
		const tail = await hear(nc, "shop.>");
		const all = await hear(nc, ">");
		for (const subject of said) nc.publish(subject, subject);
		for (const subject of said) await nextIs(all, subject, bytes(subject));
		for (const i of [0, 1]) await nextIs(star, said[i], bytes(said[i]));
		for (const i of [0, 1, 2, 4]) await nextIs(tail, said[i], bytes(said[i]));
		await isSilent(nc, star, tail, all);
		await nc.close();
	},

	async queue() {
		const speaker = await dial();
		const members = [];
		for (let i = 0; i < 3; i++) {
			const nc = await dial();
			members.push({ nc, heard: await hear(nc, "jobs.*", { queue: "workers" }) });
		}
		for (let i = 0; i < 300; i++) speaker.publish("jobs.new", String(i));
		await soon(speaker.flush(), "flush");
		const numbers = [];
		for (const { nc, heard } of members) {
			// The PONG comes behind all that was routed.
			await soon(nc.flush(), "flush");
			assert.ok(heard.kept.length > 0, "a member got nothing");
			numbers.push(...heard.kept.map((msg) => Number(msg.string())));
			await nc.close();
		}
		numbers.sort((a, b) => a - b);
		assert.deepEqual(numbers, Array.from({ length: 300 }, (_, i) => i));
		await speaker.close();
	},

	async headers() {
		const nc = await dial();
		const heard = await hear(nc, "letters");
		for (const payload of [binary(), new Uint8Array(0)]) {
			const sent = headers();
			sent.set("Single", "a value: with a colon, ünïcode");
			for (const value of ["one", "two", "three"]) sent.append("Many", value);
			nc.publish("letters", payload, { headers: sent });
			const msg = await nextIs(heard, "letters", payload);
			assert.equal(msg.headers.get("Single"), "a value: with a colon, ünïcode");
			assert.deepEqual(msg.headers.values("Many"), ["one", "two", "three"]);
			assert.equal(msg.headers.has("Absent"), false);
		}
		nc.publish("letters", "bare");
		const msg = await nextIs(heard, "letters", bytes("bare"));
		assert.equal(msg.headers, undefined);
		await nc.close();
	},

	async request() {
		const server = await dial();
		const client = await dial();
		server.subscribe("service", { callback: (_, msg) => msg.respond(msg.data) });
		await soon(server.flush(), "flush");
		const payloads = [new Uint8Array(0), binary(), noise(MAX_PAYLOAD)];
		for (let i = 0; i < 100; i++) payloads.push(bytes(`question ${i}`));
		const replies = await Promise.all(payloads.map((payload) =>
			client.request("service", payload, { timeout: PATIENCE_MS })));
		replies.forEach((reply, i) => same(reply.data, payloads[i]));
		// An inbox and a subscription for each request, instead of one for all.
		const options = { timeout: PATIENCE_MS, noMux: true };
		const own = await client.request("service", binary(), options);
		same(own.data, binary());
		await client.close();
		await server.close();
	},

	async noresponders() {
		const nc = await dial();
		await noResponders(nc, "nobody.home");
		await nc.close();
	},

	async unsubscribe() {
		const nc = await dial();
		const three = await hear(nc, "ticks", { max: 3 });
		for (let i = 0; i < 5; i++) nc.publish("ticks", String(i));
		await soon(nc.flush(), "flush");
		// On the wire: the library would drop a fourth by itself.
		assert.equal(nc.stats().inMsgs, 3);
		for (let i = 0; i < 3; i++) await nextIs(three, "ticks", bytes(String(i)));
		assert.ok(three.sub.isClosed());

		const one = await hear(nc, "ticks");
		nc.publish("ticks", "a");
		await nextIs(one, "ticks", bytes("a"));
		one.sub.unsubscribe();
		nc.publish("ticks", "b");
		await soon(nc.flush(), "flush");
		assert.equal(nc.stats().inMsgs, 4);
		await nc.close();
	},

	async drain() {
		const listener = await dial();
		const speaker = await dial();
		let received = 0;
		listener.subscribe("flood", { callback: () => { received++; } });
		await soon(listener.flush(), "flush");
		for (let i = 0; i < 500; i++) speaker.publish("flood", String(i));
		await soon(speaker.flush(), "flush");
		await soon(listener.drain(), "drain");
		assert.equal(received, 500);
		assert.ok(listener.isClosed());
		await noResponders(speaker, "flood");
		await speaker.close();
	},

	// By what stands in the URL, or by the nkey whose seed is in the file SEED.
	async login() {
		const { SEED } = process.env;
		const options = SEED ? { authenticator: nkeyAuthenticator(readFileSync(SEED)) } : {};
		const nc = await dial(options);
		const heard = await hear(nc, "hello");
		nc.publish("hello", "it is me");
		await nextIs(heard, "hello", bytes("it is me"));
		await nc.close();
	},

	async refused() {
		await assert.rejects(dial({ reconnect: false }), errors.AuthorizationError);
	},

	async reconnect() {
		const nc = await dial({
			maxReconnectAttempts: -1,
			reconnectTimeWait: 20,
			reconnectJitter: 1,
		});
		const plain = await hear(nc, "again.one");
		const wild = await hear(nc, "again.*");
		const queue = await hear(nc, "again.>", { queue: "workers" });
		nc.subscribe("service", { callback: (_, msg) => msg.respond(msg.data) });
		const reconnected = (async () => {
			for await (const status of nc.status()) {
				if (status.type === "reconnect") return;
			}
		})();
		for (const round of ["before", "after"]) {
			nc.publish("again.one", round);
			for (const heard of [plain, wild, queue]) {
				await nextIs(heard, "again.one", bytes(round));
			}
			await isSilent(nc, plain, wild, queue);
			const reply = await nc.request("service", round, { timeout: PATIENCE_MS });
			same(reply.data, bytes(round));
			if (round === "before") {
				console.log("restart");
				await soon(reconnected, "the reconnection");
			}
		}
		await nc.close();
	},
};

if (!Object.hasOwn(cases, name)) {
	console.error(`client.js: there is no case ${name}`);
	process.exit(2);
}
cases[name]().then(() => process.exit(0), (error) => {
	console.error(error);
	process.exit(1);
});
