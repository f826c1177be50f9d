package app

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestSessionOfALivingProcessIsNotDead(t *testing.T) {
	own, err := session()
	if err != nil {
		t.Fatal(err)
	}
	if dead(own) || !Here(own) {
		t.Errorf("this process is taken for dead, or for one of another machine: %s", own)
	}
}

func TestSessionOfAKilledProcessIsDead(t *testing.T) {
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	start, err := startTime(child.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	p, err := place()
	if err != nil {
		t.Fatal(err)
	}
	life := fmt.Sprintf("%s/%d/%s", p, child.Process.Pid, start)
	if dead(life) {
		t.Error("dead while it sleeps")
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// Nobody has waited for it yet: a zombie, which has ended all the same.
	for end := time.Now().Add(5 * time.Second); !dead(life); {
		if time.Now().After(end) {
			t.Fatal("a killed child is not dead")
		}
		time.Sleep(time.Millisecond)
	}
	_ = child.Wait()
	if !dead(life) {
		t.Error("not dead after it is gone")
	}
}

func TestSessionNeverSpeaksOfOthers(t *testing.T) {
	own, err := session()
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(own, "/")
	if !dead(parts[0] + "/" + parts[1] + "/1") {
		t.Error("the same pid with another start time is another process")
	}
	for _, other := range []string{"0123456789abcdef/1/1", "", "x", "a/b/c/d", parts[0] + "/x/1", parts[0]} {
		if dead(other) {
			t.Errorf("%q is none that this machine knows of", other)
		}
	}
	if Here("0123456789abcdef/" + fmt.Sprint(os.Getpid()) + "/1") {
		t.Error("another place is taken for this one")
	}
}
