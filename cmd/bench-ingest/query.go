package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/cmd/internal/process"
)

// metric reads one number from a Prometheus page.
func metric(ctx context.Context, page, name string) (int64, error) {
	body, err := get(ctx, page)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(body) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			return int64(v), err
		}
	}
	return 0, fmt.Errorf("%s has no %s", page, name)
}

func get(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	return do(req)
}

func do(req *http.Request) (string, error) {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s answers %s: %.200s", req.URL.Path, resp.Status, body)
	}
	return string(body), err
}

func influxCreate(ctx context.Context, base string) error {
	form := url.Values{"q": {"CREATE DATABASE " + influxDatabase}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/query", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	_, err = do(req)
	return err
}

func influxCount(ctx context.Context, base string) (int64, error) {
	q := url.Values{"db": {influxDatabase}, "q": {`SELECT count("soc_pct") FROM "battery"`}}
	body, err := get(ctx, base+"/query?"+q.Encode())
	if err != nil {
		return 0, err
	}
	var answer struct {
		Results []struct {
			Series []struct {
				Values [][]any // time and count
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return 0, fmt.Errorf("count in InfluxDB: %w", err)
	}
	if len(answer.Results) == 0 || len(answer.Results[0].Series) == 0 {
		return 0, nil // nothing stored yet
	}
	row := answer.Results[0].Series[0].Values[0]
	n, ok := row[len(row)-1].(float64)
	if !ok {
		return 0, fmt.Errorf("count in InfluxDB: no number in %.200s", body)
	}
	return int64(n), nil
}

// says waits until the process has written text to its log.
func says(ctx context.Context, p *process.Process, text string) error {
	return p.Wait(ctx, 30*time.Second, func(context.Context) bool { return logHas(p.Log, text) }, "did not say "+strconv.Quote(text))
}

func logHas(path, text string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.Contains(lines.Text(), text) {
			return true
		}
	}
	return false
}
