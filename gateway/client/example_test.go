package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"troupe/gateway/client"
)

// One client writes and reads. Produce is asynchronous; the callback tells what became of a record.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := client.New(client.WithBroker("127.0.0.1:9642"))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	for i := range 1000 {
		r := &client.Record{Topic: "orders", Key: fmt.Append(nil, "customer ", i%7), Value: fmt.Append(nil, "order ", i)}
		err := c.Produce(ctx, r, func(r *client.Record, err error) {
			switch {
			case errors.Is(err, client.ErrOutcomeUnknown):
				log.Printf("%s may be there or not: %v", r.Value, err)
			case err != nil:
				log.Printf("%s is not there: %v", r.Value, err)
			}
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	if err := c.Flush(ctx); err != nil {
		log.Fatal(err)
	}

	if err := c.Consume(ctx, "orders", client.FromStart()); err != nil {
		log.Fatal(err)
	}
	for r, err := range c.Records(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%d/%d %s %s\n", r.Partition, r.Offset, r.Key, r.Value)
	}
}
