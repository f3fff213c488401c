package client

import "testing"

// TestFetchReservesWhatItMayBring: a parked fetch holds its MaxBytes of the connection's budget at the broker.
func TestFetchReservesWhatItMayBring(t *testing.T) {
	c, err := New(WithFetchBytes(1 << 20))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	one := &reading{topic: &topic{name: "pets"}}
	for partitions, want := range map[int]int32{1: 1 << 20, 3: 3 << 20, 9: fetchFrameBytes} {
		group := make([]*reading, partitions)
		for i := range group {
			group[i] = one
		}
		if got := c.reader.request(group).MaxBytes; got != want {
			t.Errorf("%d partitions: MaxBytes %d, want %d", partitions, got, want)
		}
	}
}
