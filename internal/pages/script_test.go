package pages_test

import (
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/testkit/browser"
)

// The code field: whatever a person or a manager puts into it, six digits are sent, and
// they are sent once.
func TestCodeField(t *testing.T) {
	url := gallery(t)
	b := browser.New(t)
	for name, enter := range map[string]func(*browser.Tab){
		"typed":                    func(tab *browser.Tab) { tab.Type("#code", "424242") },
		"letters among the digits": func(tab *browser.Tab) { tab.Type("#code", "4a2b4 2-4x2") },
		// Managers and pasting set the value and fire input, never paste.
		"pasted with a space":  func(tab *browser.Tab) { put(tab, "424 242") },
		"pasted as a sentence": func(tab *browser.Tab) { put(tab, "Your code is 424-242.") },
		"too many digits":      func(tab *browser.Tab) { put(tab, "42424299") },
		"corrected": func(tab *browser.Tab) {
			tab.Type("#code", "42424")
			tab.Fill("#code", "4242")
			tab.Type("#code", "42")
		},
	} {
		t.Run(name, func(t *testing.T) {
			tab := b.Tab(t)
			tab.Open(url + "/code?lang=en")
			enter(tab)
			tab.Wait("#posted")
			if got, want := tab.Text("#posted"), "/sign-in/code attempt=att_06bq3k4v9x8dtmz2w1_secret&code=424242"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// put sets a field as a password manager does.
func put(tab *browser.Tab, value string) {
	browser.Eval[any](tab, `{const c = document.querySelector("#code"); c.value = "`+value+`"; c.dispatchEvent(new Event("input", {bubbles: true})); null}`)
}

// The digits stand in the middle of their slots, from the first to the last.
func TestDigitsMeetTheirSlots(t *testing.T) {
	url := gallery(t)
	tab := browser.New(t).Tab(t)
	for _, width := range []int{1280, 390, 320} {
		for _, lang := range []string{"en", "ar"} {
			tab.Size(width, 800)
			tab.Open(url + "/code?lang=" + lang)
			// A copy of the input's text in a <span> tells where each glyph falls.
			off := browser.Eval[float64](tab, `(() => {
				const c = document.querySelector("#code"), style = getComputedStyle(c), s = document.createElement("span")
				for (const p of ["font", "letterSpacing", "direction", "fontVariantNumeric"]) s.style[p] = style[p]
				s.style.cssText += ";position:absolute;white-space:pre"
				s.textContent = "000000"
				c.parentNode.append(s)
				s.style.left = style.paddingLeft
				const range = document.createRange(), box = c.getBoundingClientRect(), at = s.getBoundingClientRect().left - box.left
				return Math.max(...[...document.querySelectorAll(".slots i")].map((slot, k) => {
					range.setStart(s.firstChild, k); range.setEnd(s.firstChild, k + 1)
					const glyph = range.getBoundingClientRect(), r = slot.getBoundingClientRect()
					const ch = glyph.width - parseFloat(style.letterSpacing)
					return Math.abs(glyph.left + ch / 2 - (r.left + r.width / 2))
				}))
			})()`)
			if off > 1.5 {
				t.Errorf("%s at %d: a digit stands %.1f pixels beside its slot", lang, width, off)
			}
		}
	}
}

func TestResendCountsDown(t *testing.T) {
	url := gallery(t)
	b := browser.New(t)
	tab := b.Tab(t)
	tab.Open(url + "/code-limited?lang=en")
	if tab.Count(".resend button:disabled") != 1 {
		t.Error("a new code can be asked for too early")
	}
	// The clock of the page moves, not ours.
	browser.Eval[any](tab, `{const now = Date.now(); Date.now = () => now + 60_000; null}`)
	tab.Until(`!document.querySelector(".resend button").disabled`)
	if got := tab.Text(".resend"); !strings.Contains(got, "Nothing there?") || strings.Contains(got, "0:") {
		t.Error(got)
	}
	tab.Go(".resend button")
	if got := tab.Text("#posted"); got != "/sign-in/code/resend attempt=att_06bq3k4v9x8dtmz2w1_secret" {
		t.Error(got)
	}
}

func TestRevealAndBusy(t *testing.T) {
	url := gallery(t)
	tab := browser.New(t).Tab(t)
	tab.Open(url + "/sign-in?lang=en")
	tab.Fill("#identifier", "mara@studio.example")
	tab.Fill("#password", "correct horse")
	tab.Click(".reveal")
	if tab.Count(`#password[type=text]`) != 1 || tab.Count(`.reveal[aria-pressed=true]`) != 1 {
		t.Error("the password is not shown")
	}
	// Hold the submit back to look at the button, as a slow server would.
	browser.Eval[any](tab, `window.sends = 0, addEventListener("submit", e => { e.defaultPrevented || sends++; e.preventDefault() }), null`)
	wide := browser.Eval[float64](tab, `document.querySelector(".btn-primary").offsetWidth`)
	tab.Click(".btn-primary")
	if got := tab.Text(".btn-primary"); got != "Checking…" || tab.Count(".btn-primary[aria-busy=true]") != 1 {
		t.Errorf("the button says %q", got)
	}
	if got := browser.Eval[float64](tab, `document.querySelector(".btn-primary").offsetWidth`); got != wide {
		t.Errorf("the button was %.0f wide and is %.0f", wide, got)
	}
	if tab.Count(`#password[type=password]`) != 1 {
		t.Error("the password is sent from a text field")
	}
	tab.Click(".btn-primary")
	if got := browser.Eval[int](tab, "sends"); got != 1 {
		t.Errorf("the form was sent %d times", got)
	}
	tab.Axe("a busy button")
	browser.Eval[any](tab, `dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true})), null`)
	if got := tab.Text(".btn-primary"); got != "Sign in" {
		t.Errorf("brought back, the button says %q", got)
	}
}

// Without scripts every form posts by itself, and nothing is shown that cannot work.
func TestWithoutScripts(t *testing.T) {
	url := gallery(t)
	tab := browser.New(t).Tab(t)
	tab.Scripts(false)
	tab.Open(url + "/sign-in?lang=en")
	if tab.Count(".reveal:not([hidden])") != 0 {
		t.Error("a button that needs a script is shown without one")
	}
	tab.Fill("#identifier", "mara")
	tab.Fill("#password", "secret words")
	tab.Go(".btn-primary")
	if got := tab.Text("#posted"); !strings.HasPrefix(got, "/sign-in identifier=mara&password=secret+words&redirect_to=") {
		t.Error(got)
	}
	tab.Open(url + "/code?lang=en")
	if tab.Count(".resend button:disabled") != 0 {
		t.Error("the button is dead without a script")
	}
	tab.Fill("#code", "424242")
	tab.Go(".btn-primary")
	if got := tab.Text("#posted"); !strings.HasSuffix(got, "&code=424242") {
		t.Error(got)
	}
	tab.Open(url + "/code-anywhere?lang=en")
	if tab.Count("[data-await] [role=status]:not([hidden])") != 0 {
		t.Error("a screen that cannot wait says that it does")
	}
	tab.Go("[data-await] button")
	if got := tab.Text("#posted"); got != "/sign-in/complete attempt=att_06bq3k4v9x8dtmz2w1_secret" {
		t.Error(got)
	}
	tab.Open(url + "/sign-in?lang=en")
	tab.Fill("#identifier", "mara@studio.example")
	tab.Go("button[formaction]")
	if got := tab.Text("#posted"); !strings.HasPrefix(got, "/sign-in/email identifier=mara%40studio.example&password=&redirect_to=") {
		t.Error(got)
	}
	tab.Open(url + "/approval?lang=en")
	tab.Go("button[value=deny]")
	if got := tab.Text("#posted"); got != "/sign-in/link/approve decision=deny&match=&token=lnk_06bq3k4v9x8dtmz2w1_secret" {
		t.Error(got)
	}
	tab.Open(url + "/account?lang=fr")
	tab.Go("#sessions li:nth-child(2) button")
	if got := tab.Text("#posted"); got != "/account/sessions/end id=ses_2" {
		t.Error(got)
	}
	tab.Open(url + "/account?lang=fr")
	tab.Click("#delete summary")
	tab.Fill("#confirm", "mara@studio.example")
	tab.Go("#delete .btn-danger")
	if got := tab.Text("#posted"); got != "/account/delete confirm=mara%40studio.example" {
		t.Error(got)
	}
	tab.Open(url + "/sign-in?lang=en")
	tab.Choose(".lang select", "ar")
	tab.Go(".lang button")
	if got := tab.Text("#posted"); got != "/language lang=ar&return_to=%2Fsign-in" {
		t.Error(got)
	}
}

// A refused form puts the keyboard where the news is.
func TestFocusAfterRefusal(t *testing.T) {
	url := gallery(t)
	tab := browser.New(t).Tab(t)
	for screen, want := range map[string]string{
		"sign-in": "identifier", "sign-in-refused": "alert", "sign-up-refused": "alert", "code-refused": "code",
		"code-limited": "alert", "confirm": "password", "account-refused": "alert",
		"approval": "match", "approval-empty": "alert", "recovery": "email", "recovery-refused": "alert", "new-password": "new_password",
	} {
		tab.Open(url + "/" + screen + "?lang=en")
		// Browsers move the focus a moment after the page has loaded.
		tab.Until(`(document.activeElement.id || document.activeElement.getAttribute("role")) == "` + want + `"`)
	}
}

// The waiting screen asks where no stream comes, and goes where the answer leads.
func TestWaitingAsks(t *testing.T) {
	url := gallery(t)
	b := browser.New(t)
	for status, want := range map[string]string{"approved": "#posted", "denied": "pre", "expired": "pre", "complete": "pre"} {
		t.Run(status, func(t *testing.T) {
			tab := b.Tab(t)
			tab.Open(url + "/code-anywhere?lang=en")
			if tab.Count("[data-await] [role=status]:not([hidden])") != 1 || tab.Count("[data-await] button:not([hidden])") != 0 {
				t.Error("the screen does not say that it waits")
			}
			browser.Eval[any](tab, `document.cookie = "status=`+status+`", null`)
			tab.Wait(want)
			if want == "#posted" {
				if got := tab.Text(want); got != "/sign-in/complete attempt=att_06bq3k4v9x8dtmz2w1_secret" {
					t.Error(got)
				}
			} else if !strings.HasSuffix(tab.URL(), "/sign-in/code") {
				t.Error(tab.URL())
			}
		})
	}
}

// A tab that nobody sees holds no stream; who sends the code waits for that alone.
func TestWaitingRests(t *testing.T) {
	url := gallery(t)
	b := browser.New(t)
	const stub = `window.log = [], window.EventSource = class {
		constructor() { log.push("open"); window.stream = this }
		addEventListener(name, f) { this.tell = status => f({data: JSON.stringify({status})}) }
		close() { log.push("close") }
	}, window.hide = on => { Object.defineProperty(document, "hidden", {value: on, configurable: true}); document.dispatchEvent(new Event("visibilitychange")) }, null`
	tab := b.Tab(t)
	tab.Open(url + "/code-anywhere?lang=en")
	browser.Eval[any](tab, stub)
	browser.Eval[any](tab, `hide(true), hide(false), hide(true), hide(true), hide(false), stream.tell("pending"), null`)
	if got := browser.Eval[string](tab, `log.join(" ")`); got != "open close close close open" {
		t.Error(got)
	}
	browser.Eval[any](tab, `addEventListener("submit", e => e.preventDefault()), document.querySelector("#code").form.requestSubmit(), stream.tell("complete"), hide(true), hide(false), null`)
	if got := browser.Eval[string](tab, `log.join(" ")`); got != "open close close close open close close close" {
		t.Error(got)
	}
	tab = b.Tab(t)
	tab.Open(url + "/code-anywhere?lang=en")
	browser.Eval[any](tab, stub)
	browser.Eval[any](tab, `hide(false), stream.tell("approved"), null`)
	tab.Wait("#posted")
}
