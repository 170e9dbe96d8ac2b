package audit

// The types of event. The constants are the only way to name one.
const (
	SignUpRequested    Type = "sign_up.requested"
	SignUpCompleted    Type = "sign_up.completed"
	SignUpAddressTaken Type = "sign_up.address_taken"

	SignInSucceeded Type = "sign_in.succeeded"
	SignInFailed    Type = "sign_in.failed"
	PasswordSprayed Type = "sign_in.password_sprayed"

	SignInRequested Type = "sign_in.requested"
	LinkApproved    Type = "link.approved"
	LinkDenied      Type = "link.denied"
	LinkRefused     Type = "link.refused"

	CodeSent         Type = "code.sent"
	CodeWrong        Type = "code.wrong"
	CodeBudgetSpent  Type = "code.budget_spent"
	AttemptDisplaced Type = "attempt.displaced"

	SessionRefreshRefused Type = "session.refresh_refused"
	SessionRefreshReused  Type = "session.refresh_reused"
	SessionLateRecovery   Type = "session.late_recovery"
	SessionEnded          Type = "session.ended"
	SessionEndedAll       Type = "session.ended_all"
	SessionCap            Type = "session.cap"

	ReauthenticationSucceeded Type = "reauthentication.succeeded"
	ReauthenticationFailed    Type = "reauthentication.failed"

	RecoveryRequested Type = "recovery.requested"
	AccountNotMe      Type = "account.not_me"

	PasswordRecovered Type = "password.recovered"
	PasswordChanged   Type = "password.changed"
	PasswordUpgraded  Type = "password.upgraded"
	PasswordSet       Type = "password.set"
	EmailAdded        Type = "email.added"
	EmailVerified     Type = "email.verified"
	EmailPrimary      Type = "email.primary"
	EmailRemoved      Type = "email.removed"
	ChangeUndone      Type = "contact.change_undone"
	ContactRestored   Type = "contact.restored"
	ContactRemoved    Type = "contact.removed"

	PhoneAdded    Type = "phone.added"
	PhoneVerified Type = "phone.verified"
	PhonePrimary  Type = "phone.primary"
	PhoneRemoved  Type = "phone.removed"

	ProfileChanged  Type = "profile.changed"
	UsernameChanged Type = "username.changed"

	AccountCreated           Type = "account.created"
	AccountDeleted           Type = "account.deleted"
	AccountDeletionRequested Type = "account.deletion_requested"
	AccountDeletionUndone    Type = "account.deletion_undone"

	AccountBanned   Type = "account.banned"
	AccountUnbanned Type = "account.unbanned"

	HandoverIssued   Type = "handover.issued"
	HandoverRedeemed Type = "handover.redeemed"
	HandoverRefused  Type = "handover.refused"

	CampaignMoved Type = "campaign.moved"

	SigningKeyRotated Type = "signing_key.rotated"
	SigningKeyRevoked Type = "signing_key.revoked"
	ServerKeyCreated  Type = "server_key.created"
	ServerKeyRevoked  Type = "server_key.revoked"
)

// Types is the list. It is never changed. The usual data keys: "method" a proof's name,
// "reason" a stable word, "device" what session.DeviceOf says, "address" masked,
// "count" a number, "fields" names separated by commas.
var Types = map[Type]Spec{
	SignUpRequested: {
		Meaning: "Somebody asked to sign up; nothing exists until the address is proven.",
		Outcome: Success, Attempt: true, Data: []string{"address", "client"},
	},
	SignUpCompleted: {
		Meaning: "An account was created by its person.",
		Outcome: Success, Account: true, Visible: true, Data: []string{"method", "client"},
	},
	SignUpAddressTaken: {
		Meaning: "Somebody tried to sign up with the address of an account; they were not told, the owner was.",
		Account: true, Attempt: true, Visible: true, Data: []string{"address", "device", "client"},
	},
	SignInSucceeded: {
		Meaning: "The person proved who they are; a session started or was offered to an application.",
		Outcome: Success, Account: true, Visible: true, Data: []string{"method", "methods", "device", "delivery", "client", "location"},
	},
	SignInFailed: {
		Meaning: "A sign-in was refused; the reason is told here and nowhere else.",
		Outcome: Refused, Visible: true, Data: []string{"method", "reason", "device", "client"},
	},
	PasswordSprayed: {
		Meaning: "One wrong password was tried for many identifiers within an hour: 10 from one network, or 30 from anywhere.",
		Outcome: Refused, Data: []string{"reason", "scope", "count"},
	},
	SignInRequested: {
		Meaning: "Somebody asked for a letter to sign in with; refused means that nobody has the address.",
		Attempt: true, Data: []string{"purpose", "address", "client"},
	},
	LinkApproved: {
		Meaning: "A sign-in that waits on another device was approved with the link of its letter.",
		Outcome: Success, Account: true, Attempt: true, Visible: true, Data: []string{"device", "location"},
	},
	LinkDenied: {
		Meaning: "A sign-in that waits on another device was turned away, on request or by wrong digits.",
		Outcome: Refused, Account: true, Attempt: true, Visible: true, Data: []string{"reason", "device", "location"},
	},
	LinkRefused: {
		Meaning: "A link was used again, replaced by a newer one, too old, or its ground had moved.",
		Outcome: Refused, Data: []string{"reason", "purpose"},
	},
	CodeSent: {
		Meaning: "A letter with a code was put into the outbox.",
		Outcome: Success, Attempt: true, Data: []string{"channel", "address", "purpose"},
	},
	CodeWrong: {
		Meaning: "A code was wrong, expired or replaced by a newer one.",
		Outcome: Refused, Attempt: true, Visible: true, Data: []string{"purpose", "reason", "tries_left", "device"},
	},
	CodeBudgetSpent: {
		Meaning: "Too many wrong codes across attempts: codes are closed for this address for a while.",
		Outcome: Refused, Visible: true, Data: []string{"purpose", "reason", "address"},
	},
	AttemptDisplaced: {
		Meaning: "An unproven attempt gave way to a newer one, because an address has few at a time.",
		Outcome: Success, Attempt: true, Data: []string{"purpose", "by"},
	},
	SessionRefreshRefused: {
		Meaning: "A refresh was refused and the session lives.",
		Outcome: Refused, Account: true, Session: true, Data: []string{"reason", "device", "generation", "presented"},
	},
	SessionRefreshReused: {
		Meaning: "A refresh token that was already spent, or came without its device, was used; the session has ended.",
		Outcome: Refused, Account: true, Session: true, Visible: true, Data: []string{"reason", "device", "generation", "presented"},
	},
	SessionLateRecovery: {
		Meaning: "The token before the newest was used late, from the same device: its answer had been lost.",
		Outcome: Success, Account: true, Session: true, Visible: true, Data: []string{"reason", "device", "generation", "recoveries"},
	},
	SessionEnded: {
		Meaning: "A session ended.",
		Outcome: Success, Account: true, Session: true, Visible: true, Data: []string{"reason", "device"},
	},
	SessionEndedAll: {
		Meaning: "Every session ended, or every other one.",
		Outcome: Success, Account: true, Visible: true, Data: []string{"reason", "count", "scope"},
	},
	SessionCap: {
		Meaning: "A session ended because the person has too many.",
		Outcome: Success, Account: true, Session: true, Visible: true, Data: []string{"device", "limit"},
	},
	ReauthenticationSucceeded: {
		Meaning: "The person proved again who they are, in a running session.",
		Outcome: Success, Account: true, Session: true, Visible: true, Data: []string{"method", "device"},
	},
	ReauthenticationFailed: {
		Meaning: "A renewed proof was refused in a running session.",
		Outcome: Refused, Account: true, Session: true, Visible: true, Data: []string{"method", "reason", "device"},
	},
	RecoveryRequested: {
		Meaning: "Somebody asked for a letter to choose a new password with; refused means that nobody can, or that it was one too many.",
		Attempt: true, Visible: true, Data: []string{"purpose", "address", "client", "reason"},
	},
	AccountNotMe: {
		Meaning: "The person said of something that a letter told: this was not me. Sessions were ended.",
		Outcome: Success, Account: true, Visible: true, Data: []string{"device", "location"},
	},
	PasswordRecovered: {
		Meaning: "A new password was chosen with a letter; every session, link and code ended.",
		Outcome: Success, Account: true, Attempt: true, Visible: true, Data: []string{"device", "location"},
	},
	PasswordChanged: {
		Meaning: "The person changed the password.",
		Outcome: Success, Account: true, Visible: true, Data: []string{"method", "device", "count"},
	},
	PasswordUpgraded: {
		Meaning: "The same password was hashed anew with the present parameters.",
		Outcome: Success, Account: true, Data: []string{"from", "to"},
	},
	PasswordSet: {
		Meaning: "An operator set the password.",
		Outcome: Success, Account: true, Visible: true,
	},
	EmailAdded: {
		Meaning: "The person named another address; it claims nothing until it is proven.",
		Outcome: Success, Account: true, Session: true, Visible: true, Data: []string{"address", "device"},
	},
	EmailVerified: {
		Meaning: "The person proved an address of theirs.",
		Outcome: Success, Account: true, Visible: true, Data: []string{"address", "device"},
	},
	EmailPrimary: {
		Meaning: "The person chose another primary address; the old one was told.",
		Outcome: Success, Account: true, Session: true, Visible: true, Data: []string{"address", "device"},
	},
	EmailRemoved: {
		Meaning: "The person removed an address; if it was proven, it was told.",
		Outcome: Success, Account: true, Session: true, Visible: true, Data: []string{"address", "device"},
	},
	ChangeUndone: {
		Meaning: "A change of an address or number was undone with the link of its message; every session ended.",
		Outcome: Success, Account: true, Visible: true, Data: []string{"address", "device"},
	},
	ContactRemoved: {
		Meaning: "After a remedy, the person removed an address or number that the remedy had left.",
		Outcome: Success, Account: true, Visible: true, Data: []string{"address", "device"},
	},
	ContactRestored: {
		Meaning: "After a remedy, the person put an address or number back that had been removed lately.",
		Outcome: Success, Account: true, Visible: true, Data: []string{"address", "device"},
	},
	PhoneAdded: {
		Meaning: "The person named a phone number; it claims nothing until it is proven.",
		Outcome: Success, Account: true, Session: true, Visible: true, Data: []string{"address", "device"},
	},
	PhoneVerified: {
		Meaning: "The person proved a phone number of theirs.",
		Outcome: Success, Account: true, Session: true, Visible: true, Data: []string{"address", "device"},
	},
	PhonePrimary: {
		Meaning: "The person chose another primary phone number.",
		Outcome: Success, Account: true, Session: true, Visible: true, Data: []string{"address", "device"},
	},
	PhoneRemoved: {
		Meaning: "The person removed a phone number.",
		Outcome: Success, Account: true, Session: true, Visible: true, Data: []string{"address", "device"},
	},
	ProfileChanged: {
		Meaning: "The profile was changed.",
		Outcome: Success, Account: true, Visible: true, Data: []string{"fields"},
	},
	UsernameChanged: {
		Meaning: "The username was changed.",
		Outcome: Success, Account: true, Visible: true, Data: []string{"from", "to"},
	},
	AccountCreated: {
		Meaning: "An operator created the account.",
		Outcome: Success, Account: true, Visible: true, Data: []string{"address"},
	},
	AccountDeleted: {
		Meaning: "The account was deleted, by its person or an operator.",
		Outcome: Success, Account: true, Data: []string{"reason", "count"},
	},
	AccountDeletionRequested: {
		Meaning: "The person asked for the deletion of their account; until its time it can be taken back.",
		Outcome: Success, Account: true, Session: true, Visible: true, Data: []string{"device"},
	},
	AccountDeletionUndone: {
		Meaning: "The deletion of an account was taken back with the link of its letter.",
		Outcome: Success, Account: true, Visible: true, Data: []string{"device", "location"},
	},
	AccountBanned: {
		Meaning: "An operator closed the account; every session ended.",
		Outcome: Success, Account: true, Visible: true, Data: []string{"reason", "count"},
	},
	AccountUnbanned: {
		Meaning: "An operator opened the account again.",
		Outcome: Success, Account: true, Visible: true, Data: []string{"reason"},
	},
	HandoverIssued: {
		Meaning: "A code with which an application on another origin fetches its session was issued.",
		Outcome: Success, Account: true, Data: []string{"origin", "client"},
	},
	HandoverRedeemed: {
		Meaning: "An application fetched its session.",
		Outcome: Success, Account: true, Session: true, Data: []string{"origin", "client"},
	},
	HandoverRefused: {
		Meaning: "A code of an application was refused: spent, expired or not its own.",
		Outcome: Refused, Data: []string{"origin", "client", "reason"},
	},
	CampaignMoved: {
		Meaning: "An operator started, paused, resumed or cancelled a letter to many.",
		Outcome: Success, Data: []string{"campaign", "state", "segment", "count"},
	},
	SigningKeyRotated: {
		Meaning: "An administrator brought the change of the signing key forward; key signs from active_at on.",
		Outcome: Success, Data: []string{"key", "alg", "active_at"},
	},
	SigningKeyRevoked: {
		Meaning: "An administrator revoked a signing key, so its tokens are refused at once; successor signs in its place.",
		Outcome: Success, Data: []string{"key", "alg", "successor"},
	},
	ServerKeyCreated: {
		Meaning: "A server key was created.",
		Outcome: Success, Data: []string{"key", "name", "scopes"},
	},
	ServerKeyRevoked: {
		Meaning: "A server key was revoked.",
		Outcome: Success, Data: []string{"key", "name"},
	},
}
