package main

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetwatt/fleetwatt/api"
)

func keysCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Keys to the API of a running server: who may call it, and as what",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	r.bind(cmd)
	cmd.AddCommand(keysCreate(&r), keysList(&r), keysRotate(&r), keysRevoke(&r))
	return cmd
}

func keysCreate(r *remote) *cobra.Command {
	var owner, device string
	var lasting time.Duration
	cmd := &cobra.Command{
		Use:   "create NAME ROLE",
		Short: "Make a key, which is shown once",
		Long: `Make a key to the API. Its text is shown once and kept nowhere.

Roles: admin may do everything; operator runs the fleet of all owners; owner sees
its own assets and enters what only it knows of them; viewer only looks, at the
assets of one owner or, without one, of all; device sees itself.`,
		Example: `  fleetwatt keys create "Anna, portal" owner --owner owner-01 --expires 2160h
  fleetwatt keys create grafana viewer`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			body := map[string]any{"name": args[0], "role": args[1]}
			if owner != "" {
				body["owner_id"] = owner
			}
			if device != "" {
				body["device"] = device
			}
			if lasting != 0 {
				body["expires_at"] = time.Now().Add(lasting).UTC().Format(time.RFC3339)
			}
			return r.newKey(cmd, "/keys", body)
		},
	}
	cmd.Flags().StringVar(&owner, "owner", "", "id of the owner whose assets it sees")
	cmd.Flags().StringVar(&device, "device", "", "kind/id, for the role device")
	cmd.Flags().DurationVar(&lasting, "expires", 0, "how long it works, as 2160h; 0: for ever")
	return cmd
}

func keysRotate(r *remote) *cobra.Command {
	var grace string
	cmd := &cobra.Command{
		Use:   "rotate PREFIX",
		Short: "Put a new key in the place of another, and let the old one work for a while",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.newKey(cmd, "/keys/"+args[0]+"/rotate", map[string]any{"grace": grace})
		},
	}
	cmd.Flags().StringVar(&grace, "grace", "24h", "how long the old key still works: 0s to 90d")
	return cmd
}

func keysRevoke(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke PREFIX",
		Short: "End a key at once",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			if _, err := c.Call(cmd.Context(), http.MethodDelete, "/keys/"+args[0], nil, nil, nil); err != nil {
				return err
			}
			return r.print(cmd, map[string]string{"revoked": args[0]}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "key %s does not work any more\n", args[0])
				return err
			})
		},
	}
}

func keysList(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the keys, without their text",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			all, _, err := listAll[api.AccessKey](cmd, c, "/keys", url.Values{}, math.MaxInt)
			if err != nil {
				return err
			}
			return r.print(cmd, all, func(w io.Writer) error {
				var rows [][]string
				for _, k := range all {
					sees := "all"
					switch {
					case k.OwnerID != "":
						sees = k.OwnerID
					case k.Device != "":
						sees = k.Device
					}
					rows = append(rows, []string{k.Prefix, k.Name, k.Role, sees, k.Status, orNever(k.ExpiresAt), orNever(k.LastUsedAt)})
				}
				return table(w, []string{"PREFIX", "NAME", "ROLE", "SEES", "STATUS", "EXPIRES", "LAST USED"}, rows)
			})
		},
	}
}

func orNever(t *api.Time) string {
	if t == nil {
		return "never"
	}
	return t.String()
}

// newKey asks for a key and shows it.
func (r *remote) newKey(cmd *cobra.Command, path string, body map[string]any) error {
	c, err := r.client()
	if err != nil {
		return err
	}
	var k api.NewAccessKey
	if _, err := c.Call(cmd.Context(), http.MethodPost, path, nil, body, &k); err != nil {
		return err
	}
	return r.print(cmd, k, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "key      %s\nprefix   %s\nexpires  %s\n", k.Key, k.Prefix, orNever(k.ExpiresAt))
		return err
	})
}
