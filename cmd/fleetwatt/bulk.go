package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/fleetwatt/fleetwatt/cmd/internal/client"
	"github.com/fleetwatt/fleetwatt/devices"
)

// bulk gives many devices their credentials.
type bulk struct {
	from, out string
	dryRun    bool
}

// wanted is one line of the input.
type wanted struct {
	line       int
	device     devices.Ref
	username   string // empty: no secret
	commonName string // empty: no certificate
}

func (b *bulk) run(cmd *cobra.Command, r *remote) error {
	if b.out == "" && !b.dryRun {
		return errors.New("out: want a file for the secrets; or --dry-run")
	}
	c, err := r.client()
	if err != nil {
		return err
	}
	all, problems, err := readWanted(b.from)
	if err != nil {
		return err
	}
	more, err := checkWanted(cmd, c, all)
	if err != nil {
		return err
	}
	if problems = append(problems, more...); len(problems) > 0 {
		slices.SortStableFunc(problems, func(x, y badLine) int { return x.line - y.line })
		for _, p := range problems {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s:%d: %s\n", b.from, p.line, p.what)
		}
		return fmt.Errorf("%d problems in %s; nothing was done", len(problems), b.from)
	}
	if b.dryRun {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%d lines are good; nothing was done\n", len(all))
		return err
	}
	return b.create(cmd, c, all)
}

// bulkColumns are the first line of the file of secrets.
func bulkColumns() []string { return []string{"device", "username", "secret"} }

// create writes each secret to the file as soon as it is made: nobody can have
// it again.
func (b *bulk) create(cmd *cobra.Command, c *client.Client, all []wanted) (err error) {
	f, err := os.OpenFile(b.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("out: %w", err)
	}
	secrets, certificates := 0, 0
	defer func() {
		err = errors.Join(err, f.Sync(), f.Close())
		if err != nil && secrets == 0 { // the file would only be in the way of another try
			err = errors.Join(err, os.Remove(b.out))
		}
	}()
	w := csv.NewWriter(f)
	write := func(record ...string) error {
		if err := w.Write(record); err != nil {
			return err
		}
		w.Flush()
		return w.Error()
	}
	if err := write(bulkColumns()...); err != nil {
		return err
	}
	stopped := func(at wanted, err error) error {
		if secrets == 0 {
			return fmt.Errorf("%s:%d: %w (no secret was made)", b.from, at.line, err)
		}
		return fmt.Errorf("%s:%d: %w (%d secrets were made before and are in %s: go on with the lines from here, and another --out)", b.from, at.line, err, secrets, b.out)
	}
	for _, one := range all {
		if one.commonName != "" {
			if _, err := bindCertificate(cmd, c, one.device, one.commonName); err != nil {
				return stopped(one, err)
			}
			certificates++
		}
		if one.username == "" {
			continue
		}
		s, err := createSecret(cmd, c, one.device, one.username)
		if err != nil {
			return stopped(one, err)
		}
		if err := write(one.device.String(), s.Username, s.Secret); err != nil {
			return stopped(one, fmt.Errorf("write the secret of %s, which is lost (rotate it): %w", one.device, err))
		}
		secrets++
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d secrets in %s, %d certificates\n", secrets, b.out, certificates)
	return err
}

// badLine is what is wrong with a line of the input.
type badLine struct {
	line int
	what string
}

// readWanted reads the input and checks what can be seen from it alone.
func readWanted(path string) (all []wanted, bad []badLine, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("from: %w", err)
	}
	defer f.Close()
	in := csv.NewReader(f)
	in.TrimLeadingSpace = true
	head, err := in.Read()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: read the line that names the columns: %w", path, err)
	}
	columns := map[string]int{}
	for i, name := range head {
		name = strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))
		if _, twice := columns[name]; twice || !slices.Contains([]string{"device", "username", "common_name"}, name) {
			return nil, nil, fmt.Errorf("%s: column %q: want device, username and common_name, each at most once", path, name)
		}
		columns[name] = i
	}
	if _, ok := columns["device"]; !ok {
		return nil, nil, fmt.Errorf("%s: there is no column device", path)
	}
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			return all, bad, nil
		}
		if err != nil && !errors.Is(err, csv.ErrFieldCount) {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		line, _ := in.FieldPos(0)
		if len(record) != len(head) {
			bad = append(bad, badLine{line, fmt.Sprintf("has %d fields, want %d", len(record), len(head))})
			continue
		}
		one, err := parseWanted(columns, record)
		if err != nil {
			bad = append(bad, badLine{line, err.Error()})
			continue
		}
		one.line = line
		all = append(all, one)
	}
}

func parseWanted(columns map[string]int, record []string) (one wanted, err error) {
	cell := func(name string) string {
		i, ok := columns[name]
		if !ok {
			return ""
		}
		return strings.TrimSpace(record[i])
	}
	if one.device, err = devices.ParseRef(cell("device")); err != nil {
		return one, err
	}
	one.username, one.commonName = cell("username"), cell("common_name")
	if one.username == "" && one.commonName == "" {
		one.username = one.device.ID
	}
	for _, name := range []string{one.username, one.commonName} {
		if len(name) > 128 || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
			return one, fmt.Errorf("%q: a name has at most 128 bytes, and no control characters", name)
		}
	}
	return one, nil
}

// checkWanted checks the lines against each other and against the server.
func checkWanted(cmd *cobra.Command, c *client.Client, all []wanted) (bad []badLine, err error) {
	registered := map[devices.Ref]bool{}
	for _, kind := range devices.Kinds() {
		if !slices.ContainsFunc(all, func(w wanted) bool { return w.device.Kind == kind }) {
			continue
		}
		of, err := listKind(cmd, c, kind, url.Values{})
		if err != nil {
			return nil, err
		}
		for _, d := range of {
			registered[devices.Ref{Kind: kind, ID: d.ID}] = true
		}
	}
	taken, err := takenNames(cmd, c)
	if err != nil {
		return nil, err
	}
	for _, one := range all {
		complain := func(format string, args ...any) { bad = append(bad, badLine{one.line, fmt.Sprintf(format, args...)}) }
		if !registered[one.device] {
			complain("%s is not registered", one.device)
			continue
		}
		device := one.device.String()
		if one.username != "" {
			if _, has := taken.secrets[device]; has {
				complain("%s has a secret, or gets one in a line before", device)
			}
			if holder, ok := taken.usernames[one.username]; ok && holder != device {
				complain("username %q belongs to %s", one.username, holder)
			}
			taken.secrets[device], taken.usernames[one.username] = struct{}{}, device
		}
		if one.commonName != "" {
			if holder, ok := taken.commonNames[one.commonName]; ok && holder != device {
				complain("common name %q belongs to %s", one.commonName, holder)
			}
			taken.commonNames[one.commonName] = device
		}
	}
	return bad, nil
}

// names are those that are taken, and by which device.
type names struct {
	secrets                map[string]struct{} // devices that have one
	usernames, commonNames map[string]string
}

func takenNames(cmd *cobra.Command, c *client.Client) (names, error) {
	n := names{map[string]struct{}{}, map[string]string{}, map[string]string{}}
	has, err := credentialsOf(cmd, c, "")
	for _, credential := range has {
		if credential.CommonName != "" {
			n.commonNames[credential.CommonName] = credential.Device
			continue
		}
		n.secrets[credential.Device] = struct{}{}
		n.usernames[credential.Username] = credential.Device
	}
	return n, err
}
