package main

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fleetwatt/fleetwatt/api"
	"github.com/fleetwatt/fleetwatt/cmd/internal/client"
	"github.com/fleetwatt/fleetwatt/devices"
)

func devicesCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use:   "devices",
		Short: "See the devices of a running server, and give them credentials",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	r.bind(cmd)
	cmd.AddCommand(devicesList(&r), devicesShow(&r), credentialCommand(&r))
	return cmd
}

// devicePath is where the API has a device.
func devicePath(ref devices.Ref) string {
	return "/" + ref.Kind.Plural() + "/" + url.PathEscape(ref.ID)
}

// deviceRow is a device as the API lists it.
type deviceRow struct {
	Device string `json:"device"` // kind/id
	api.AssetView
}

func devicesList(r *remote) *cobra.Command {
	var kind, owner, site, status string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List devices by kind and id",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			kinds := devices.Kinds()
			if kind != "" {
				k, err := devices.ParseKind(kind)
				if err != nil {
					return err
				}
				kinds = []devices.Kind{k}
			}
			c, err := r.client()
			if err != nil {
				return err
			}
			all := []deviceRow{}
			for _, k := range kinds {
				query := url.Values{}
				for name, value := range map[string]string{"owner_id": owner, "site_id": site, "status": status} {
					if value != "" {
						query.Set(name, value)
					}
				}
				of, err := listKind(cmd, c, k, query)
				if err != nil {
					return err
				}
				all = append(all, of...)
			}
			if r.json {
				return printJSON(cmd.OutOrStdout(), all)
			}
			rows := make([][]string, len(all))
			for i, d := range all {
				rows[i] = []string{d.Device, d.Status, d.OwnerID, d.SiteID, d.Gateway, d.Name}
			}
			return table(cmd.OutOrStdout(), []string{"DEVICE", "STATUS", "OWNER", "SITE", "GATEWAY", "NAME"}, rows)
		},
	}
	f := cmd.Flags()
	f.StringVar(&kind, "kind", "", "only batteries, buildings or stations: battery, building, station")
	f.StringVar(&owner, "owner", "", "only of this owner")
	f.StringVar(&site, "site", "", "only on this site")
	f.StringVar(&status, "status", "", "only unclaimed, active or retired ones")
	return cmd
}

func listKind(cmd *cobra.Command, c *client.Client, kind devices.Kind, query url.Values) ([]deviceRow, error) {
	found, _, err := listAll[api.AssetView](cmd, c, "/"+kind.Plural(), query, math.MaxInt)
	if err != nil {
		return nil, err
	}
	all := make([]deviceRow, len(found))
	for i, d := range found {
		all[i] = deviceRow{Device: devices.Ref{Kind: kind, ID: d.ID}.String(), AssetView: d}
	}
	return all, nil
}

func devicesShow(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:     "show KIND/ID",
		Short:   "Show one device, what it signs in with, and its newest values",
		Example: `  fleetwatt devices show battery/bat-0001`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := devices.ParseRef(args[0])
			if err != nil {
				return err
			}
			c, err := r.client()
			if err != nil {
				return err
			}
			d, err := deviceDetails(cmd, c, ref)
			if err != nil {
				return err
			}
			if r.json {
				return printJSON(cmd.OutOrStdout(), d)
			}
			return d.print(cmd.OutOrStdout())
		},
	}
}

type details struct {
	Device      map[string]any   `json:"device"`
	Credentials []api.Credential `json:"credentials"`
	Latest      []api.Latest     `json:"latest"`
}

func deviceDetails(cmd *cobra.Command, c *client.Client, ref devices.Ref) (details, error) {
	var (
		d      details
		latest page[api.Latest]
	)
	_, err := c.Call(cmd.Context(), http.MethodGet, devicePath(ref), nil, nil, &d.Device)
	if err != nil {
		return d, err
	}
	if d.Credentials, err = credentialsOf(cmd, c, ref.String()); err != nil {
		return d, err
	}
	// A store that is away keeps nobody from seeing the rest.
	_, err = c.Call(cmd.Context(), http.MethodGet, devicePath(ref)+"/latest", nil, nil, &latest)
	if refusedWith(err, http.StatusServiceUnavailable) {
		fmt.Fprintln(cmd.ErrOrStderr(), "newest values:", err)
		err = nil
	}
	d.Latest = latest.Items
	return d, err
}

func (d *details) print(w io.Writer) error {
	names := []string{}
	for name := range d.Device {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if (a == "id") != (b == "id") {
			return map[bool]int{true: -1, false: 1}[a == "id"]
		}
		return strings.Compare(a, b)
	})
	for _, name := range names {
		fmt.Fprintf(w, "%-20s %s\n", name, shown(plain(d.Device[name])))
	}
	if len(d.Credentials) > 0 {
		fmt.Fprintln(w)
		if err := printCredentials(w, d.Credentials); err != nil {
			return err
		}
	}
	if len(d.Latest) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	rows := make([][]string, len(d.Latest))
	for i, v := range d.Latest {
		rows[i] = []string{v.Field, plain(v.Value), v.Unit, v.TS.String()}
	}
	return table(w, []string{"FIELD", "VALUE", "UNIT", "AT"}, rows)
}

// plain is a JSON value in one line, and an object as name=value.
func plain(v any) string {
	m, ok := v.(map[string]any)
	if !ok {
		return fmt.Sprint(v)
	}
	var parts []string
	for name, value := range m {
		parts = append(parts, name+"="+plain(value))
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}
