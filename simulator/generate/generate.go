// Package generate runs the parts of a simulated fleet beside each other and
// hands out what they say in an order that does not depend on how many
// processors there are. It does not know where it goes.
package generate

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/simulator"
	"github.com/fleetwatt/fleetwatt/simulator/faults"
	"github.com/fleetwatt/fleetwatt/simulator/truth"
)

// Plan says how to run a fleet.
type Plan struct {
	Faults faults.Config
	Seed   uint64
	Batch  int           // readings of a device in a message, 1 … faults.MaxRecords; 0: no messages
	Truth  time.Duration // between the states that are written down; 0: none are

	Workers int // parts that run at once; 0: as many as there are
}

// Block is what one part of the fleet said in some time.
type Block struct {
	Actions  []faults.Action // but for notes
	Truth    []truth.Record
	Readings int // before any fault
}

// blockSteps bounds the steps of a block, and with it what lies in memory.
const blockSteps = 16

// Generator is a fleet behind its faults.
type Generator struct {
	fleet *simulator.Fleet
	plan  Plan
	parts []*part
}

// New prepares a fleet. From here on it is stepped by the generator only.
func New(fleet *simulator.Fleet, plan Plan) (*Generator, error) {
	g := &Generator{fleet: fleet, plan: plan}
	for _, h := range fleet.Shards() {
		p := &part{shard: h, truthMS: plan.Truth.Milliseconds()}
		if plan.Batch != 0 {
			var err error
			if p.stage, err = faults.New(plan.Faults, plan.Seed, plan.Batch, p.take); err != nil {
				return nil, fmt.Errorf("generate: %w", err)
			}
		}
		p.nextTruth = h.Now().UnixMilli() + p.truthMS
		g.parts = append(g.parts, p)
	}
	if g.plan.Workers <= 0 || g.plan.Workers > len(g.parts) {
		g.plan.Workers = len(g.parts)
	}
	return g, nil
}

// part is one shard with its faults and what it has said in the block that is
// being made.
type part struct {
	shard     *simulator.Shard
	stage     *faults.Stage // nil: nobody wants messages
	block     Block
	truthMS   int64
	nextTruth int64
}

func (p *part) take(a faults.Action) {
	if a.Act != faults.Note {
		p.block.Actions = append(p.block.Actions, a)
		return
	}
	if p.truthMS > 0 {
		p.block.Truth = append(p.block.Truth, truth.OfFault(a.Ref, a.Hit))
	}
}

// step moves the part on by one step.
func (p *part) step() {
	if p.stage == nil {
		p.shard.Step(func(telemetry.Reading) { p.block.Readings++ }, nil)
	} else {
		p.shard.Step(
			func(r telemetry.Reading) {
				p.block.Readings++
				p.stage.Reading(r)
			},
			p.stage.Event)
		p.stage.Tick(p.shard.Now().UnixMilli())
	}
	now := p.shard.Now().UnixMilli()
	if p.truthMS > 0 && now >= p.nextTruth {
		p.block.Truth = truth.Append(p.block.Truth, now, p.shard.Truth())
		p.nextTruth += p.truthMS * ((now-p.nextTruth)/p.truthMS + 1)
	}
}

// upTo makes one block, which ends at until at the latest.
func (p *part) upTo(until time.Time) Block {
	p.block = Block{}
	for i := 0; i < blockSteps && p.shard.Now().Before(until); i++ {
		p.step()
	}
	return p.block
}

// Run moves the fleet on until its time reaches until, and calls take with one
// block after the other: all parts in turn, again and again. An error of take or
// the end of ctx ends it early; the fleet is of no use then. Nothing runs any
// more when it returns.
func (g *Generator) Run(ctx context.Context, until time.Time, take func(Block) error) error {
	run, ctx := errgroup.WithContext(ctx)
	turns := make(chan struct{}, g.plan.Workers)
	blocks := make([]chan Block, len(g.parts))
	for i, p := range g.parts {
		out := make(chan Block, 1)
		blocks[i] = out
		run.Go(func() error {
			defer close(out)
			for p.shard.Now().Before(until) {
				select {
				case turns <- struct{}{}:
				case <-ctx.Done():
					return ctx.Err()
				}
				b := p.upTo(until)
				<-turns
				select {
				case out <- b:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	}
	run.Go(func() error { return collect(ctx, blocks, take) })
	return run.Wait()
}

func collect(ctx context.Context, blocks []chan Block, take func(Block) error) error {
	for open := len(blocks); open > 0; {
		open = 0
		for _, in := range blocks {
			select {
			case b, ok := <-in:
				if !ok {
					continue
				}
				open++
				if err := take(b); err != nil {
					return err
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

// Step moves the whole fleet on by one step.
func (g *Generator) Step() Block {
	var all Block
	for _, p := range g.parts {
		p.block = Block{}
		p.step()
		all.add(p.block)
	}
	return all
}

// Now is the time that the fleet has reached.
func (g *Generator) Now() time.Time { return g.fleet.Now() }

// Flush hands out what devices still hold, as if all came online, and the final
// state.
func (g *Generator) Flush() Block {
	var all Block
	for _, p := range g.parts {
		p.block = Block{}
		if p.stage != nil {
			p.stage.Flush()
		}
		if p.truthMS > 0 {
			p.block.Truth = truth.Append(p.block.Truth, p.shard.Now().UnixMilli(), p.shard.Truth())
		}
		all.add(p.block)
	}
	return all
}

// SetPace changes the step and the readings in a message from here on.
func (g *Generator) SetPace(step time.Duration, batch int) error {
	for _, p := range g.parts {
		if p.stage != nil {
			p.stage.SetBatch(batch)
		}
	}
	return g.fleet.SetStep(step)
}

func (b *Block) add(other Block) {
	b.Actions = append(b.Actions, other.Actions...)
	b.Truth = append(b.Truth, other.Truth...)
	b.Readings += other.Readings
}
