package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetwatt/fleetwatt/api"
	"github.com/fleetwatt/fleetwatt/cmd/internal/client"
	"github.com/fleetwatt/fleetwatt/cmd/internal/config"
	"github.com/fleetwatt/fleetwatt/devices"
)

func credentialCommand(r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "credential",
		Short: "Give devices user names, secrets and certificates, and take them away",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(credentialCreate(r), credentialRotate(r), credentialRevoke(r), credentialList(r))
	return cmd
}

func credentialCreate(r *remote) *cobra.Command {
	var (
		username, commonName string
		b                    bulk
	)
	cmd := &cobra.Command{
		Use:   "create KIND/ID | --from FILE --out FILE",
		Short: "Give a device its first secret, or a certificate, or many devices theirs",
		Long: `Give a device its first secret, which is shown once and kept nowhere, or let
client certificates of a common name sign in as the device.

With --from, devices are read from a CSV file whose first line names its columns:
device (kind/id), and where wanted username and common_name. Everything is
checked before anything is done. The secrets go to a new file that only its
owner can read, each as soon as it is made. A device with a common name and no
username gets no secret.`,
		Example: `  fleetwatt devices credential create battery/bat-0001
  fleetwatt devices credential create station/st-01 --common-name st-01.example.com
  fleetwatt devices credential create --from devices.csv --out secrets.csv --dry-run`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if b.from != "" {
				if len(args) > 0 || username != "" || commonName != "" {
					return errors.New("give either a device or --from")
				}
				return b.run(cmd, r)
			}
			if len(args) == 0 || b.out != "" || b.dryRun {
				return errors.New("give a device (kind/id), or --from with --out or --dry-run")
			}
			if username != "" && commonName != "" {
				return errors.New("give --username or --common-name, not both")
			}
			ref, err := devices.ParseRef(args[0])
			if err != nil {
				return err
			}
			c, err := r.client()
			if err != nil {
				return err
			}
			if commonName != "" {
				bound, err := bindCertificate(cmd, c, ref, commonName)
				if err != nil {
					return err
				}
				return r.print(cmd, bound, func(w io.Writer) error { return printCredentials(w, []api.Credential{bound}) })
			}
			secret, err := createSecret(cmd, c, ref, username)
			if err != nil {
				return err
			}
			return r.printSecret(cmd, secret)
		},
	}
	f := cmd.Flags()
	f.StringVar(&username, "username", "", "user name; default: the device's id")
	f.StringVar(&commonName, "common-name", "", "common name of client certificates that sign in as the device")
	f.StringVar(&b.from, "from", "", "CSV file of many devices")
	f.StringVar(&b.out, "out", "", "new file for the secrets of many devices")
	f.BoolVar(&b.dryRun, "dry-run", false, "with --from: only check")
	return cmd
}

func createSecret(cmd *cobra.Command, c *client.Client, ref devices.Ref, username string) (secret api.Secret, err error) {
	body := map[string]string{}
	if username != "" {
		body["username"] = username
	}
	_, err = c.Call(cmd.Context(), http.MethodPost, devicePath(ref)+"/credential", nil, body, &secret)
	var refused *client.Error
	if errors.As(err, &refused) && refused.Status == http.StatusConflict {
		err = fmt.Errorf("%w (rotate gives a device that has a secret a new one)", err)
	}
	return secret, err
}

func bindCertificate(cmd *cobra.Command, c *client.Client, ref devices.Ref, commonName string) (bound api.Credential, err error) {
	_, err = c.Call(cmd.Context(), http.MethodPut, certificatesPath(ref), nil, map[string]string{"common_name": commonName}, &bound)
	return bound, err
}

func certificatesPath(ref devices.Ref) string { return devicePath(ref) + "/certificates" }

func credentialRotate(r *remote) *cobra.Command {
	var grace string
	cmd := &cobra.Command{
		Use:   "rotate KIND/ID",
		Short: "Give a device a new secret, and let the old one work for a while",
		Long: `Give a device a new secret, and let the old one work for a while. Until that
is over another rotation is refused, for the device may use either secret; with
--grace 0 both end at once.`,
		Example: `  fleetwatt devices credential rotate battery/bat-0001 --grace 7d
  fleetwatt devices credential rotate battery/bat-0001 --grace 0`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := devices.ParseRef(args[0])
			if err != nil {
				return err
			}
			overlap, err := config.ParseDays(grace)
			if err != nil {
				return fmt.Errorf("grace: %w", err)
			}
			c, err := r.client()
			if err != nil {
				return err
			}
			rotate := replaceSecret
			if overlap > 0 {
				rotate = func(cmd *cobra.Command, c *client.Client, ref devices.Ref) (api.Secret, error) {
					return rotateSecret(cmd, c, ref, overlap)
				}
			}
			secret, err := rotate(cmd, c, ref)
			if err != nil {
				return err
			}
			return r.printSecret(cmd, secret)
		},
	}
	cmd.Flags().StringVar(&grace, "grace", "24h", "how long the old secret still works, up to 90d; 0: not at all, and its connections end")
	return cmd
}

// rotateSecret lets the old secret work beside the new one.
func rotateSecret(cmd *cobra.Command, c *client.Client, ref devices.Ref, grace time.Duration) (secret api.Secret, err error) {
	_, err = c.Call(cmd.Context(), http.MethodPost, devicePath(ref)+"/credential/rotate", nil, map[string]string{"grace": grace.String()}, &secret)
	var refused *client.Error
	if errors.As(err, &refused) && refused.Status == http.StatusConflict {
		err = fmt.Errorf("%w, and the device may use that or the new one (rotate again after that, or with --grace 0, which ends both at once)", err)
	}
	return secret, err
}

// replaceSecret gives the device a new secret under the name that it has.
func replaceSecret(cmd *cobra.Command, c *client.Client, ref devices.Ref) (secret api.Secret, err error) {
	has, err := credentialsOf(cmd, c, ref.String())
	if err != nil {
		return secret, err
	}
	for _, credential := range has {
		if credential.Username != "" {
			_, err = c.Call(cmd.Context(), http.MethodPut, devicePath(ref)+"/credential", nil, map[string]string{"username": credential.Username}, &secret)
			return secret, err
		}
	}
	return secret, fmt.Errorf("%s has no secret to replace; create gives it one", ref)
}

func credentialRevoke(r *remote) *cobra.Command {
	var commonName string
	cmd := &cobra.Command{
		Use:   "revoke KIND/ID",
		Short: "Take all that a device signs in with away, and end its connections",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := devices.ParseRef(args[0])
			if err != nil {
				return err
			}
			c, err := r.client()
			if err != nil {
				return err
			}
			path, query, what := devicePath(ref)+"/credential", url.Values{}, "what "+ref.String()+" signs in with"
			if cmd.Flags().Changed("common-name") { // an empty one is not to mean all
				path, what = certificatesPath(ref), "certificate "+shown(commonName)+" of "+ref.String()
				query.Set("common_name", commonName)
			}
			if _, err := c.Call(cmd.Context(), http.MethodDelete, path, query, nil, nil); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.ErrOrStderr(), "%s: taken away\n", what)
			return err
		},
	}
	cmd.Flags().StringVar(&commonName, "common-name", "", "only the certificate of this common name")
	return cmd
}

func credentialList(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "list [KIND/ID]",
		Short: "List who can sign in",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			device := ""
			if len(args) == 1 {
				device = args[0]
			}
			c, err := r.client()
			if err != nil {
				return err
			}
			all, err := credentialsOf(cmd, c, device)
			if err == nil && device != "" && len(all) == 0 {
				err = registeredAt(cmd, c, device)
			}
			if err != nil {
				return err
			}
			return r.print(cmd, all, func(w io.Writer) error { return printCredentials(w, all) })
		},
	}
}

// registeredAt is an error where the server does not know the device.
func registeredAt(cmd *cobra.Command, c *client.Client, device string) error {
	ref, err := devices.ParseRef(device)
	if err != nil {
		return err
	}
	_, err = c.Call(cmd.Context(), http.MethodGet, devicePath(ref), nil, nil, nil)
	return err
}

// credentialsOf are those of a device, or all.
func credentialsOf(cmd *cobra.Command, c *client.Client, device string) ([]api.Credential, error) {
	query := url.Values{}
	if device != "" {
		query.Set("device", device)
	}
	var all page[api.Credential]
	_, err := c.Call(cmd.Context(), http.MethodGet, "/credentials", query, nil, &all)
	return all.Items, err
}

func printCredentials(w io.Writer, all []api.Credential) error {
	rows := make([][]string, len(all))
	for i, c := range all {
		rows[i] = []string{c.Device, c.Type, c.Username + c.CommonName, c.CreatedAt.String(), ""}
		if c.PreviousUntil != nil {
			rows[i][4] = c.PreviousUntil.String()
		}
	}
	return table(w, []string{"DEVICE", "TYPE", "NAME", "SINCE", "OLD SECRET UNTIL"}, rows)
}

// print shows v as JSON or in words.
func (r *remote) print(cmd *cobra.Command, v any, words func(io.Writer) error) error {
	if r.json {
		return printJSON(cmd.OutOrStdout(), v)
	}
	return words(cmd.OutOrStdout())
}

// printSecret shows a secret, which is the only time that anybody sees it.
func (r *remote) printSecret(cmd *cobra.Command, s api.Secret) error {
	return r.print(cmd, s, func(w io.Writer) error {
		fmt.Fprintf(w, "username %s\nsecret   %s\n", shown(s.Username), s.Secret)
		if s.PreviousUntil != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "the old secret works until %s\n", s.PreviousUntil)
		}
		_, err := fmt.Fprintln(cmd.ErrOrStderr(), "the secret is not shown again")
		return err
	})
}
