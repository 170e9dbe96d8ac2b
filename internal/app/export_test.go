package app

// Defaults is the configuration of a program that sets nothing.
func Defaults() Config {
	c, err := Load(nil, nil, "")
	if err != nil {
		panic("app: the defaults do not parse: " + err.Error()) // a test parses them
	}
	return *c
}
