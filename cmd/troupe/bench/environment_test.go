package bench

import "testing"

func TestFilesystem(t *testing.T) {
	const mounts = `overlay / overlay rw 0 0
proc /proc proc rw 0 0
/dev/sda1 /data ext4 rw,relatime 0 0
/dev/sdb1 /data/fast xfs rw 0 0
tmpfs /data/with\040space tmpfs rw 0 0
/dev/sdc1 /data btrfs rw 0 0
broken
`
	for path, want := range map[string]string{
		"/home/x": "overlay", "/": "overlay", "/data": "btrfs", "/data/slow": "btrfs", "/database": "overlay",
		"/data/fast/x": "xfs", "/data/with space/y": "tmpfs",
	} {
		if got := filesystem(mounts, path); got != want {
			t.Errorf("%s is on %q, want %q", path, got, want)
		}
	}
	if got := filesystem("", "/x"); got != "" {
		t.Errorf("knows %q of a system that tells nothing", got)
	}
}

func TestProbeFsync(t *testing.T) {
	probe, err := ProbeFsync(t.TempDir())
	if err != nil || probe.Writes == 0 || probe.MedianMS <= 0 || probe.P99MS < probe.MedianMS {
		t.Errorf("probe %+v, %v", probe, err)
	}
	if _, err := ProbeFsync(t.TempDir() + "/missing"); err == nil {
		t.Error("measured a directory that is not there")
	}
}
