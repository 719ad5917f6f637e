// Two peers of Pion, the WebRTC implementation that most native clients use, which may use nothing but the
// relay: they open a data channel, 3 MB go one way, and a word comes back. Run by integration/pion_test.cpp; exit
// code 0 when all of it arrived.
//
//	pion_relay URL                   as in iceServers; user alice, password secret
//	pion_relay refused HOST:PORT     see refused.go
package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"time"

	"github.com/pion/webrtc/v3"
)

const (
	patience  = 30 * time.Second // between two messages
	size      = 3 << 20
	chunk     = 16 << 10
	mostAhead = 1 << 20 // that wait in the channel to be sent
	word      = "thank you"
)

func check(err error) {
	if err != nil {
		fail(err)
	}
}

func fail(why any) {
	fmt.Println("failed:", why)
	os.Exit(1)
}

func content() []byte {
	all := make([]byte, 0, size+sha256.Size)
	for block := sha256.Sum256(nil); len(all) < size; block = sha256.Sum256(block[:]) {
		all = append(all, block[:]...)
	}
	return all[:size]
}

func newPeer(url string) *webrtc.PeerConnection {
	peer, err := webrtc.NewPeerConnection(webrtc.Configuration{
		ICEServers:         []webrtc.ICEServer{{URLs: []string{url}, Username: "alice", Credential: "secret"}},
		ICETransportPolicy: webrtc.ICETransportPolicyRelay,
	})
	check(err)
	return peer
}

// Sends all of it as soon as the channel is open, and reports when the other side says that it has come.
func send(channel *webrtc.DataChannel, all []byte, progress chan<- bool) {
	ready := make(chan struct{}, 1)
	channel.SetBufferedAmountLowThreshold(mostAhead / 2)
	channel.OnBufferedAmountLow(func() {
		select {
		case ready <- struct{}{}:
		default:
		}
	})
	channel.OnOpen(func() {
		for at := 0; at < len(all); at += chunk {
			check(channel.Send(all[at : at+chunk]))
			if channel.BufferedAmount() > mostAhead {
				<-ready
			}
		}
	})
	channel.OnMessage(func(message webrtc.DataChannelMessage) {
		if string(message.Data) != word {
			fail("another word came back")
		}
		progress <- true
	})
}

func receive(channel *webrtc.DataChannel, all []byte, progress chan<- bool) {
	var got []byte
	channel.OnMessage(func(message webrtc.DataChannelMessage) {
		got = append(got, message.Data...)
		progress <- false
		if len(got) < len(all) {
			return
		}
		if !bytes.Equal(got, all) {
			fail("what arrived is not what was sent")
		}
		check(channel.SendText(word))
	})
}

// All candidates at once, so that nothing else has to be signalled.
func describe(peer *webrtc.PeerConnection, description webrtc.SessionDescription) webrtc.SessionDescription {
	gathered := webrtc.GatheringCompletePromise(peer)
	check(peer.SetLocalDescription(description))
	select {
	case <-gathered:
	case <-time.After(patience):
		fail("no end of gathering")
	}
	if !bytes.Contains([]byte(peer.LocalDescription().SDP), []byte(" typ relay ")) {
		fail("no relayed address")
	}
	return *peer.LocalDescription()
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "refused" {
		refused(os.Args[2])
		return
	}
	if len(os.Args) != 2 {
		fail("usage: pion_relay URL | pion_relay refused HOST:PORT")
	}
	ann, ben := newPeer(os.Args[1]), newPeer(os.Args[1])
	all, progress := content(), make(chan bool)
	channel, err := ann.CreateDataChannel("data", nil)
	check(err)
	send(channel, all, progress)
	ben.OnDataChannel(func(channel *webrtc.DataChannel) { receive(channel, all, progress) })

	offer, err := ann.CreateOffer(nil)
	check(err)
	check(ben.SetRemoteDescription(describe(ann, offer)))
	answer, err := ben.CreateAnswer(nil)
	check(err)
	check(ann.SetRemoteDescription(describe(ben, answer)))

	for done := false; !done; {
		select {
		case done = <-progress:
		case <-time.After(patience):
			fail("nothing more arrives")
		}
	}
	check(ann.Close())
	check(ben.Close())
	fmt.Println("all arrived")
}
