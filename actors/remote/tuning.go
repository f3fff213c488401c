package remote

import (
	"time"

	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// queueFrames is where the library's queue to a peer begins; it grows, and PeerBytes bounds it.
const queueFrames = 1000

// oneAttempt has the library give an outlet up when it cannot connect: correspondents try again, with an outlet of its own.
func oneAttempt(c *remote.Config) { c.MaxRetryCount = 1 }

const (
	headerBytes = 16 << 10
	answerBytes = 64 << 10 // of the few words that a peer answers
	// keepaliveTime and keepaliveWait notice a peer that stalls.
	keepaliveTime = 10 * time.Second
	keepaliveWait = 2 * time.Second
)

// serverOptions are how others are answered. One connection carries one stream, and goes when it carries none.
func (l *Link) serverOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.Creds(l.transport),
		grpc.UnaryInterceptor(l.refuseCall),
		grpc.StreamInterceptor(l.serveStream),
		grpc.MaxRecvMsgSize(messageBytes),
		grpc.MaxSendMsgSize(answerBytes),
		grpc.MaxHeaderListSize(headerBytes),
		grpc.MaxConcurrentStreams(1),
		grpc.ConnectionTimeout(connectTime),
		grpc.WaitForHandlers(true),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionIdle: keepaliveTime, Time: keepaliveTime, Timeout: keepaliveWait,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveTime / 2}),
	}
}

// dialOptions are how others are dialed. They replace the library's, among which is to encrypt nothing. Nothing here tries
// again on its own: correspondents do.
func (l *Link) dialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithTransportCredentials(l.transport),
		grpc.WithContextDialer(l.dialOutlet),
		grpc.WithStreamInterceptor(l.openStream),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(answerBytes), grpc.MaxCallSendMsgSize(messageBytes)),
		grpc.WithMaxHeaderListSize(headerBytes),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime, Timeout: keepaliveWait}),
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithIdleTimeout(0),
	}
}
