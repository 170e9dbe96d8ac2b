package app_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/app"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/sms"
)

// TestSMSProblems breaks each rule of the group alone. Each problem names its setting and
// the fix, and shows no part of an address.
func TestSMSProblems(t *testing.T) {
	const hidden = "hidden-token"
	for _, c := range []struct {
		change    func(c *app.Config)
		key, says string
	}{
		{func(c *app.Config) { c.SMS = "hidden-token" }, "sms", "provider 1: it names no provider"},
		{func(c *app.Config) { c.SMS = "telex://hidden-token@?from=1" }, "sms", "it names no provider"},
		{func(c *app.Config) { c.SMS = "twilio://AC1@?from=+15005550006" }, "sms", "the SID of the account and its token"},
		{func(c *app.Config) { c.SMS = "twilio://AC1:hidden-token@" }, "sms", "the option from"},
		{func(c *app.Config) { c.SMS = "twilio://AC1:hidden-token@?from=hidden-token" }, "sms", "the option from"},
		{func(c *app.Config) { c.SMS = "twilio://AC1:hidden-token@?from=+15005550006&voice-from=Limen" }, "sms", "voice-from"},
		{func(c *app.Config) { c.SMS = "twilio://AC1:hidden-token@?from=+15005550006&colour=hidden-token" }, "sms", "not known"},
		{func(c *app.Config) { c.SMS = "twilio://AC1:hidden-token@?from=+15005550006&from=Limen" }, "sms", "does not parse"},
		{func(c *app.Config) { c.SMS = "twilio://AC1:hidden-token%zz@?from=+15005550006" }, "sms", "percent-encode"},
		{func(c *app.Config) { c.SMS = "twilio://AC1:hidden-token@example.com?from=+15005550006" }, "sms", "no host"},
		{func(c *app.Config) {
			c.SMS = "vonage://key:hidden-token@?from=Limen, sns://AKID:hidden-token@frankfurt"
		}, "sms", "provider 2: sns: it needs"},
		{func(c *app.Config) { c.SMS = "messagebird://hidden-token:hidden-token@?from=Limen" }, "sms", "the access key alone"},
		{func(c *app.Config) { c.SMS = "messagebird://hidden-token@?from=Limen&endpoint=http://example.com" }, "sms", "must be https"},
		{func(c *app.Config) { c.SMS = "webhook+https://example.com/hidden-token" }, "sms", "the option secret"},
		{func(c *app.Config) { c.SMS = "webhook+https://example.com/?secret=hidden-token" }, "sms", "16 bytes"},
		{func(c *app.Config) { c.SMS = "webhook+http://example.com/?secret=hidden-token-hidden-token" }, "sms", "must be https"},
		{func(c *app.Config) {
			c.SMS = "webhook+https://hidden-token@example.com/?secret=hidden-token-hidden-token"
		}, "sms", "not with a password"},
		{func(c *app.Config) { c.SMS = "webhook://example.com/?secret=hidden-token-hidden-token" }, "sms", "webhook+https://"},
		{func(c *app.Config) { c.SMSVoice = "on" }, "sms-voice", "no provider in sms makes calls"},
		{func(c *app.Config) { c.SMS, c.SMSVoice = "vonage://key:hidden-token@?from=Limen", "on" }, "sms-voice", "no provider in sms makes calls"},
		{func(c *app.Config) { c.SMSVoice = "loud" }, "sms-voice", "one of on, off"},
		{func(c *app.Config) { c.SMSCountries = []string{"CH", "*"} }, "sms-countries", "list the countries"},
		{func(c *app.Config) { c.SMSCountries = []string{"ch"} }, "sms-countries", "capital letters"},
		{func(c *app.Config) { c.SMSCountries = []string{"001"} }, "sms-countries", "ISO 3166"},
		{func(c *app.Config) { c.SMSCountries = []string{""} }, "sms-countries", "ISO 3166"},
		{func(c *app.Config) { c.SMSPerNumber = 0 }, "sms-per-number", "leave sms-countries empty"},
		{func(c *app.Config) { c.SMSPerNumber = 11 }, "sms-per-number", "sms-per-number-daily"},
		{func(c *app.Config) { c.SMSPerNetworkDaily = 19 }, "sms-per-network", "sms-per-network-daily"},
		{func(c *app.Config) { c.SMSPerPrefixDaily = -1 }, "sms-per-prefix-daily", "outside 1"},
		{func(c *app.Config) { c.SMSDaily = 0 }, "sms-daily", "outside 1"},
		{func(c *app.Config) { c.SMSBreaker = 0 }, "sms-breaker", "outside 1"},
	} {
		config := app.Defaults()
		c.change(&config)
		err := config.Check(app.Development)
		if err == nil || !strings.Contains(err.Error(), "\n  "+c.key+": ") || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), hidden) {
			t.Errorf("%s, %q: %v", c.key, c.says, err)
		}
	}
}

func TestSMSSettings(t *testing.T) {
	for _, good := range []secret.Text{
		"twilio://AC1:token@?from=+15005550006", "twilio://AC1:token@?from=MG00000000000000000000000000000002",
		"sns://AKID:se/cr+et@eu-central-1", "sns://AKID:se%2Fcret@us-gov-west-1?sender=LIMEN", "sns://AKID:secret@cn-north-1",
		"vonage://key:secret@?from=My%20App", "messagebird://key@?from=12345",
		"webhook+https://sms.example.com/send?secret=0123456789abcdef", "webhook+http://127.0.0.1:8080/send?secret=0123456789abcdef",
		"webhook+http://[::1]:8080/?secret=0123456789abcdef&tenant=7",
		"twilio://AC1:token@?from=+15005550006,\n vonage://key:secret@?from=Limen",
	} {
		c := app.Defaults()
		c.SMS, c.SMSCountries = good, []string{"CH", "DE"}
		if err := c.Check(app.Development); err != nil {
			t.Errorf("%s: %v", good.Reveal(), err)
		}
		if p, err := c.SMSProviders(time.Now); err != nil || p == nil {
			t.Errorf("%s: %v", good.Reveal(), err)
		}
	}
	c := app.Defaults()
	if p, err := c.SMSProviders(time.Now); p != nil || err != nil {
		t.Errorf("nobody is %v, %v", p, err)
	}
	g := c.SMSGuard(func(number string) string { return number })
	if err := g.Allow(sms.Target{Number: "+41791234567", Prefix: "+4179", Country: "CH"}); err == nil {
		t.Error("an empty list allows")
	}
	swiss := sms.Target{Number: "+41791234567", Prefix: "+4179", Country: "CH"}
	for _, n := range append(g.OfNumber(swiss), g.OfOthers(swiss, netip.MustParseAddr("192.0.2.7"))...) {
		if n.Rate.Events < 1 || n.Rate.Burst < 1 {
			t.Errorf("%s lets nothing through", n.Rate.Name)
		}
	}

	path := filepath.Join(t.TempDir(), "sms")
	if err := os.WriteFile(path, []byte("twilio://AC1:token@?from=+15005550006\nmessagebird://key@?from=Limen\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := app.Load([]string{"--sms-file=" + path, "--sms-countries=CH,DE"}, nil, "")
	if err != nil || len(loaded.SMSCountries) != 2 {
		t.Fatal(err, loaded.SMSCountries)
	}
	if list, err := sms.ParseList(loaded.SMS, time.Now); err != nil || len(list) != 2 || list[0].Name != "twilio" || list[1].Name != "messagebird" {
		t.Errorf("%v, %v", list, err)
	}
}
