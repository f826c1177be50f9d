package datatransfer

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/ledger"
)

// loads are the tasks of a run by the entities that they transfer.
func (c *config) loads(tasks []*syncline.Task) map[string][]*syncline.Task {
	out := map[string][]*syncline.Task{}
	for _, t := range tasks {
		if name := c.entityOf(t); name != "" {
			out[name] = append(out[name], t)
		}
	}
	return out
}

// entityOf is which entity a task transfers; "" when it stands for a partner's whole run,
// which transfers what its loads do.
func (c *config) entityOf(t *syncline.Task) string {
	switch plain := c.plain(); {
	case t.Kind == ledger.ChildTask:
		return withoutIteration(t.Name)
	case t.Kind == ledger.OutsideTask && !foreign(c.p):
		return ""
	case t.Kind == ledger.OutsideTask && len(plain) == 1:
		return plain[0]
	}
	return t.Name
}

// withoutIteration is the name that all loads of one entity have in common.
func withoutIteration(name string) string {
	at := strings.LastIndex(name, " #")
	if at <= 0 {
		return name
	}
	if _, err := strconv.ParseUint(name[at+2:], 10, 31); err != nil {
		return name
	}
	return name[:at]
}

// plain are the entities that the definition names, and not by a pattern.
func (c *config) plain() (names []string) {
	for _, e := range c.p.Definition.Entities {
		if e.Name != "" && !strings.ContainsAny(e.Name, "*?[") {
			names = append(names, e.Name)
		}
	}
	return names
}

// without are the plain entities that none of the loads is of. Sources may call them by
// longer names: orders is public.orders.
func (c *config) without(loads map[string][]*syncline.Task) []string {
	return slices.DeleteFunc(c.plain(), func(plain string) bool {
		for name := range loads {
			if name == plain || strings.HasSuffix(name, "."+plain) {
				return true
			}
		}
		return false
	})
}

// longest is how long the readable part of a resource's id is.
const longest = 900

// resourceID is an entity's name as the last part of a resource's: bytes that mean something
// in a URL, or in what servers make of one, are written as ~ and two digits.
func resourceID(entity string) string {
	var b strings.Builder
	for i, c := range []byte(entity) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '.' && i > 0 {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "~%02x", c)
	}
	if b.Len() > longest {
		return fmt.Sprintf("%s~~%x", b.String()[:longest], sha256.Sum256([]byte(entity)))
	}
	return b.String()
}
