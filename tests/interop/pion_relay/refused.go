package main

import (
	"fmt"
	"net"
	"time"

	"github.com/pion/turn/v2"
)

const rounds = 20

// A client of Pion that sends to a port where nobody receives, and hears somebody else all the same.
func refused(server string) {
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	check(err)
	client, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: server, TURNServerAddr: server, Conn: socket, Username: "alice", Password: "secret"})
	check(err)
	check(client.Listen())
	relayed, err := client.Allocate()
	check(err)

	closed, err := net.ListenPacket("udp4", "127.0.0.1:0")
	check(err)
	nobody := closed.LocalAddr()
	check(closed.Close())
	peer, err := net.ListenPacket("udp4", "127.0.0.1:0")
	check(err)
	for i := 0; i < rounds; i++ {
		_, err = relayed.WriteTo([]byte("anybody?"), nobody)
		check(err)
		talk(relayed, peer)
	}
	check(relayed.Close())
	fmt.Println("heard the peer to the end")
}

// One datagram to the peer, and one back.
func talk(relayed, peer net.PacketConn) {
	buffer := make([]byte, 1500)
	check(peer.SetReadDeadline(time.Now().Add(patience)))
	check(relayed.SetReadDeadline(time.Now().Add(patience)))
	_, err := relayed.WriteTo([]byte("there"), peer.LocalAddr())
	check(err)
	_, from, err := peer.ReadFrom(buffer)
	check(err)
	_, err = peer.WriteTo([]byte(word), from)
	check(err)
	n, _, err := relayed.ReadFrom(buffer)
	for err == nil && n == 0 { // what tells of the refusal
		n, _, err = relayed.ReadFrom(buffer)
	}
	check(err)
	if string(buffer[:n]) != word {
		fail("something else came back")
	}
}
