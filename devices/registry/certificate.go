package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database"
)

// Certificate lets the holder of a client certificate with this common name
// sign in as a device. Whether the certificate is genuine is for the listener
// to check.
type Certificate struct {
	Device     devices.Ref
	CommonName string
	CreatedAt  time.Time // of the binding
}

const certificateColumns = "common_name, kind, id, created_at"

func scanCertificate(row database.Scanner) (Certificate, error) {
	var (
		c       Certificate
		created int64
	)
	if err := row.Scan(&c.CommonName, &c.Device.Kind, &c.Device.ID, &created); err != nil {
		return Certificate{}, err
	}
	c.CreatedAt = time.UnixMilli(created).UTC()
	return c, nil
}

// BindCertificate lets certificates with the common name sign in as the device;
// a device may have several. An empty name stands for the device's id. To bind
// the same again changes nothing. Errors: ErrNotFound for a device that is not
// registered, ErrConflict for a name that another device has, *Invalid.
func (r *Registry) BindCertificate(ctx context.Context, ref devices.Ref, commonName string) (Certificate, error) {
	if commonName == "" {
		commonName = ref.ID
	}
	if err := checkName("common_name", commonName); err != nil {
		return Certificate{}, err
	}
	var c Certificate
	err := r.change(ctx, func(tx *change) error {
		c = Certificate{Device: ref, CommonName: commonName, CreatedAt: tx.at}
		if _, err := findDevice(ctx, tx, ref); err != nil {
			return whatIsMissing(ctx, tx, ref, err)
		}
		bound, err := found(scanCertificate(tx.QueryRowContext(ctx,
			`SELECT `+certificateColumns+` FROM certificates WHERE common_name = $1`, commonName)))
		switch {
		case err == nil && bound.Device != ref:
			return fmt.Errorf("%w: common name %q belongs to another device", ErrConflict, commonName)
		case err == nil:
			c = bound
			return nil
		case !errors.Is(err, ErrNotFound):
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO certificates (`+certificateColumns+`) VALUES ($1, $2, $3, $4)`,
			commonName, string(ref.Kind), ref.ID, c.CreatedAt.UnixMilli())
		if err != nil {
			return err
		}
		tx.then(func() { r.dir.putCertificate(c) })
		if err := tx.record(ctx, ActionGrant, kindCertificate, ref.String(), nil, grant{CommonName: commonName}); err != nil {
			return err
		}
		return tx.touch(ctx, ref)
	})
	if err != nil {
		return Certificate{}, fmt.Errorf("certificate of %s: %w", ref, err)
	}
	return c, nil
}

// RevokeCertificate ends what BindCertificate began. Connections that are open
// are not closed by it. Error: ErrNotFound where the device has no such
// certificate.
func (r *Registry) RevokeCertificate(ctx context.Context, ref devices.Ref, commonName string) error {
	err := r.change(ctx, func(tx *change) error {
		deleted, err := affected(tx.ExecContext(ctx,
			`DELETE FROM certificates WHERE common_name = $1 AND kind = $2 AND id = $3`, commonName, string(ref.Kind), ref.ID))
		if err == nil && deleted == 0 {
			err = whatIsMissing(ctx, tx, ref, ErrNotFound)
		}
		if err != nil {
			return err
		}
		tx.then(func() { r.dir.dropCertificates(func(c Certificate) bool { return c.CommonName == commonName }) })
		if err := tx.record(ctx, ActionRevoke, kindCertificate, ref.String(), grant{CommonName: commonName}, nil); err != nil {
			return err
		}
		return tx.touch(ctx, ref)
	})
	if err != nil {
		return fmt.Errorf("certificate %q of %s: %w", commonName, ref, err)
	}
	return nil
}

// AuthenticateCertificate returns the device that signs in with a verified
// client certificate of this common name. Error: ErrBadCredential. It answers
// from memory.
func (r *Registry) AuthenticateCertificate(_ context.Context, commonName string) (devices.Ref, error) {
	r.dir.mu.RLock()
	defer r.dir.mu.RUnlock()
	c, known := r.dir.byName[commonName]
	if !known {
		return devices.Ref{}, ErrBadCredential
	}
	return c.Device, nil
}

// Certificates lists who can sign in with a certificate, ordered by kind, id
// and common name.
func (r *Registry) Certificates(ctx context.Context) ([]Certificate, error) {
	all, err := database.Collect(ctx, r.db.Read, scanCertificate,
		`SELECT `+certificateColumns+` FROM certificates ORDER BY kind, id, common_name`)
	if err != nil {
		return nil, fmt.Errorf("list certificates: %w", err)
	}
	return all, nil
}

func (d *directory) putCertificate(c Certificate) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.byName[c.CommonName] = c
}

func (d *directory) dropCertificates(which func(Certificate) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	maps.DeleteFunc(d.byName, func(_ string, c Certificate) bool { return which(c) })
}
