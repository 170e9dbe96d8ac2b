// Package browser drives a real Chromium in tests: what a person would see, and what
// axe-core finds wrong with it.
//
// A Browser is one process and serves any number of tabs. Each Tab has a cookie jar of
// its own, as another person's browser has; Beside opens a second tab on the same jar.
// Every action waits for what it needs and fails the test after Patience, so stories
// read as plain steps and never sleep. A tab notes what the page complains about
// (exceptions, console errors, breaches of the content security policy), and the test
// fails at its end unless the tab was told to expect complaints.
//
// Chromium is /usr/bin/chromium, or what LIMEN_TEST_CHROMIUM names. Where there is none
// the test is skipped and says so; with CI set to true that is a failure, so a machine
// that should check cannot quietly stop checking.
//
// Limits: it is for tests only and trusts the pages it opens; as root it runs without
// Chromium's sandbox. It knows no other engine: Safari and Firefox are looked at by
// hand.
package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Patience is how long one step may take.
const Patience = 20 * time.Second

// Browser is a running Chromium. It ends with the test that started it.
type Browser struct{ ctx context.Context }

// New starts a browser, or skips the test where there is none.
func New(t testing.TB) *Browser {
	t.Helper()
	path := find(t)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("font-render-hinting", "none"),
		chromedp.Flag("lang", "en-US"),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		cancel()
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("browser: %s does not start: %v", path, err)
	}
	return &Browser{ctx}
}

func find(t testing.TB) string {
	t.Helper()
	wanted := os.Getenv("LIMEN_TEST_CHROMIUM")
	for _, name := range []string{wanted, "/usr/bin/chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
		if name == wanted && wanted != "" {
			break // named and missing: do not test another one instead
		}
	}
	const help = "browser: no Chromium here: install it, or name it in LIMEN_TEST_CHROMIUM"
	if os.Getenv("CI") == "true" {
		t.Fatal(help)
	}
	t.Skip(help)
	return ""
}

// Tab is one tab. Its methods fail the test when they cannot do what they say.
type Tab struct {
	t       testing.TB
	browser *Browser
	ctx     context.Context
	width   int
	height  int

	mu         sync.Mutex // guards what follows: events arrive on another goroutine
	complaints []string
	tolerated  bool
}

// Tab opens a tab with a cookie jar of its own.
func (b *Browser) Tab(t testing.TB) *Tab {
	t.Helper()
	return b.open(t, b.ctx, chromedp.WithNewBrowserContext())
}

// Beside opens another tab with the same cookie jar.
func (tab *Tab) Beside() *Tab {
	tab.t.Helper()
	return tab.browser.open(tab.t, tab.ctx)
}

func (b *Browser) open(t testing.TB, parent context.Context, options ...chromedp.ContextOption) *Tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(parent, options...)
	tab := &Tab{t: t, browser: b, ctx: ctx}
	t.Cleanup(func() {
		cancel()
		tab.mu.Lock()
		defer tab.mu.Unlock()
		if len(tab.complaints) > 0 && !tab.tolerated {
			t.Errorf("the page complained:\n%s", strings.Join(tab.complaints, "\n"))
		}
	})
	if err := chromedp.Do(ctx); err != nil { // binds the tab's life to ctx, so no timeout here
		t.Fatalf("browser: no tab: %v", err)
	}
	if err := chromedp.Listen(ctx, tab.note); err != nil {
		t.Fatalf("browser: %v", err)
	}
	tab.run(call(log.Enable, cdp.Empty{}))
	tab.Size(1280, 800)
	return tab
}

// note keeps what the page complains about. An answer of 4xx is what many tests want,
// so the browser's own line about it is no complaint.
func (tab *Tab) note(event any) {
	var complaint string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		complaint = "exception: " + e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			complaint += " " + x.Description
		}
	case *log.EventEntryAdded:
		if e.Entry.Level != log.EntryLevelError || e.Entry.Source == log.EntrySourceNetwork {
			return
		}
		complaint = fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL)
	default:
		return
	}
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.complaints = append(tab.complaints, complaint)
}

// Tolerate says that the page may complain.
func (tab *Tab) Tolerate() {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.tolerated = true
}

type step = chromedp.Action[chromedp.Void]

func call[P, R any](command cdp.Command[P, R], params P) step {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, command, params)
		return chromedp.Void{}, err
	}
}

// run takes steps within Patience.
func (tab *Tab) run(steps ...step) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, Patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		tab.t.Fatalf("browser: %v", err)
	}
}

// read is run for a step that answers.
func read[T any](tab *Tab, step chromedp.Action[T]) T {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, Patience)
	defer cancel()
	v, err := chromedp.Run(ctx, step)
	if err != nil {
		tab.t.Fatalf("browser: %v", err)
	}
	return v
}

// Open goes to a page and waits until it has loaded. It returns the status.
func (tab *Tab) Open(url string) int {
	tab.t.Helper()
	return status(read(tab, chromedp.NavigateResponse(url)))
}

// Go clicks what selector names (a link, a button that submits) and waits for the page
// that follows. It returns that page's status.
func (tab *Tab) Go(selector string) int {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, Patience)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(selector)))
	if err != nil {
		tab.t.Fatalf("browser: no page follows a click on %s: %v", selector, err)
	}
	return status(response)
}

func status(r *network.Response) int {
	if r == nil {
		return 0
	}
	return int(r.Status)
}

// Click clicks and waits for nothing.
func (tab *Tab) Click(selector string) {
	tab.t.Helper()
	tab.run(chromedp.Click(chromedp.CSS(selector)))
}

// Fill replaces what a field holds, by keyboard: select all, type over it.
func (tab *Tab) Fill(selector, value string) {
	tab.t.Helper()
	tab.run(chromedp.Focus(chromedp.CSS(selector)))
	Eval[any](tab, fmt.Sprintf("document.querySelector(%q).select(), null", selector))
	tab.run(chromedp.SendKeys(chromedp.CSS(selector), kb.Backspace+value))
}

// Type adds to what a field holds, key by key.
func (tab *Tab) Type(selector, keys string) {
	tab.t.Helper()
	tab.run(chromedp.SendKeys(chromedp.CSS(selector), keys))
}

// Choose selects an option of a <select> by its value.
func (tab *Tab) Choose(selector, value string) {
	tab.t.Helper()
	tab.run(chromedp.SetValue(chromedp.CSS(selector), value))
}

// Wait waits until something that selector names can be seen.
func (tab *Tab) Wait(selector string) {
	tab.t.Helper()
	tab.run(chromedp.WaitVisible(chromedp.CSS(selector)))
}

// WaitGone waits until nothing that selector names is left.
func (tab *Tab) WaitGone(selector string) {
	tab.t.Helper()
	tab.run(chromedp.WaitNotPresent(chromedp.CSS(selector)))
}

// Text returns the visible text of the first element that selector names.
func (tab *Tab) Text(selector string) string {
	tab.t.Helper()
	return strings.TrimSpace(read(tab, chromedp.Text(chromedp.CSS(selector))))
}

// Value returns what a field holds.
func (tab *Tab) Value(selector string) string {
	tab.t.Helper()
	return read(tab, chromedp.Value(chromedp.CSS(selector)))
}

// Count returns how many elements selector names right now; it waits for nothing.
func (tab *Tab) Count(selector string) int {
	tab.t.Helper()
	return Eval[int](tab, fmt.Sprintf("document.querySelectorAll(%q).length", selector))
}

// URL returns the address of the page.
func (tab *Tab) URL() string {
	tab.t.Helper()
	return read(tab, chromedp.Location())
}

// Title returns the title of the page.
func (tab *Tab) Title() string {
	tab.t.Helper()
	return read(tab, chromedp.Title())
}

// Back goes back in the history, as the button does.
func (tab *Tab) Back() {
	tab.t.Helper()
	tab.run(chromedp.NavigateBack())
}

// History returns the addresses that the tab has been at, the oldest first: what the back
// button leads to.
func (tab *Tab) History() []string {
	tab.t.Helper()
	result := read(tab, func(ctx context.Context, target *chromedp.Target) (page.GetNavigationHistoryResult, error) {
		return cdp.Call(ctx, target, page.GetNavigationHistory, cdp.Empty{})
	})
	var addresses []string
	for _, entry := range result.Entries {
		addresses = append(addresses, entry.URL)
	}
	return addresses
}

// Eval evaluates an expression in the page; a promise is awaited.
func Eval[T any](tab *Tab, expression string) T {
	tab.t.Helper()
	return read(tab, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// Until waits until an expression is true in the page.
func (tab *Tab) Until(expression string) {
	tab.t.Helper()
	read(tab, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(Patience)))
}

// Cookies returns the names of the cookies that the page's address would be sent.
func (tab *Tab) Cookies() []string {
	tab.t.Helper()
	result := read(tab, func(ctx context.Context, target *chromedp.Target) (network.GetCookiesResult, error) {
		return cdp.Call(ctx, target, network.GetCookies, network.GetCookiesParams{})
	})
	var names []string
	for _, c := range result.Cookies {
		names = append(names, c.Name)
	}
	return names
}

// Size sets the viewport in CSS pixels. Below 600 it is a phone, with two device pixels
// to each.
func (tab *Tab) Size(width, height int) {
	tab.t.Helper()
	tab.width, tab.height = width, height
	tab.resize(height)
}

func (tab *Tab) resize(height int) {
	tab.t.Helper()
	phone := tab.width < 600
	scale := 1.0
	if phone {
		scale = 2
	}
	tab.run(call(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: int64(tab.width), Height: int64(height), DeviceScaleFactor: scale, Mobile: phone,
	}))
}

// Media emulates media features, name and value in turn: "prefers-color-scheme", "dark".
func (tab *Tab) Media(features ...string) {
	tab.t.Helper()
	var params emulation.SetEmulatedMediaParams
	for i := 0; i+1 < len(features); i += 2 {
		params.Features = append(params.Features, &emulation.MediaFeature{Name: features[i], Value: features[i+1]})
	}
	tab.run(call(emulation.SetEmulatedMedia, params))
}

// Dark switches between the dark and the light scheme.
func (tab *Tab) Dark(on bool) {
	tab.t.Helper()
	scheme := "light"
	if on {
		scheme = "dark"
	}
	tab.Media("prefers-color-scheme", scheme)
}

// Scripts switches the page's scripts off or on; it holds from the next page on.
func (tab *Tab) Scripts(on bool) {
	tab.t.Helper()
	tab.run(call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on}))
}

// Screenshot writes a picture of the whole page to a PNG file. Folders are made. The
// window grows to the page for that moment: Chromium's own pictures beyond the viewport
// cut fixed backgrounds and shift right-to-left pages.
func (tab *Tab) Screenshot(path string) {
	tab.t.Helper()
	tab.resize(max(tab.height, Eval[int](tab, "document.documentElement.scrollHeight")))
	result := read(tab, func(ctx context.Context, target *chromedp.Target) (page.CaptureScreenshotResult, error) {
		return cdp.Call(ctx, target, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	})
	tab.resize(tab.height)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tab.t.Fatal(err)
	}
	if err := os.WriteFile(path, result.Data, 0o644); err != nil {
		tab.t.Fatal(err)
	}
}
