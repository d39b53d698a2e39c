package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
	"time"
)

// client is one keep-alive connection. It reads answers as far as the
// measurement needs, so that the processor is left to the server.
type client struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
}

func dial(addr string) (*client, error) {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}, nil
}

func (c *client) close() { _ = c.conn.Close() }

// get asks for a path and returns the status and the length of the body.
func (c *client) get(path, key string) (status, length int, err error) {
	c.out = fmt.Appendf(c.out[:0], "GET /api/v1%s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n\r\n", path, key)
	if err := c.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return 0, 0, err
	}
	if _, err := c.conn.Write(c.out); err != nil {
		return 0, 0, err
	}
	return c.answer()
}

func (c *client) answer() (status, length int, err error) {
	first, err := c.line()
	if err != nil {
		return 0, 0, err
	}
	if len(first) < 12 || !bytes.HasPrefix(first, []byte("HTTP/1.1 ")) {
		return 0, 0, fmt.Errorf("an answer begins with %q", first)
	}
	if status, err = strconv.Atoi(string(first[9:12])); err != nil {
		return 0, 0, fmt.Errorf("an answer begins with %q", first)
	}
	length = -1
	for {
		header, err := c.line()
		if err != nil {
			return 0, 0, err
		}
		if len(header) == 0 {
			break
		}
		if name, value, _ := bytes.Cut(header, []byte(": ")); bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, 0, fmt.Errorf("content length: %w", err)
			}
		}
	}
	if length < 0 {
		return status, 0, fmt.Errorf("an answer of status %d has no length", status)
	}
	_, err = c.in.Discard(length)
	return status, length, err
}

func (c *client) line() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}
