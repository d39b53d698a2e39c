package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// crowd is connections that are open and say nothing.
type crowd []net.Conn

// gather opens n connections, each an MQTT 3.1.1 client of its own without
// keep-alive.
func gather(ctx context.Context, addr string, n int) (crowd, error) {
	var c crowd
	for i := range n {
		conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return c, fmt.Errorf("idle connection %d: %w (is the limit of open files high enough?)", i, err)
		}
		c = append(c, conn)
		if err := greet(conn, fmt.Sprintf("idle-%05d", i)); err != nil {
			return c, fmt.Errorf("idle connection %d: %w", i, err)
		}
	}
	return c, nil
}

// greet sends a CONNECT (MQTT 3.1.1 §3.1) and reads the CONNACK.
func greet(conn net.Conn, id string) error {
	packet := []byte{0x10, byte(12 + len(id)), 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0, 0, byte(len(id))}
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write(append(packet, id...)); err != nil {
		return err
	}
	answer := make([]byte, 4)
	if _, err := io.ReadFull(bufio.NewReaderSize(conn, 4), answer); err != nil {
		return err
	}
	if answer[0] != 0x20 || answer[3] != 0 {
		return fmt.Errorf("refused: % x", answer)
	}
	return conn.SetDeadline(time.Time{})
}

func (c crowd) leave() error {
	var errs []error
	for _, conn := range c {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}
