package catalog

// Resolve replaces the references ${env:NAME} and ${file:/path} in a setting that is the
// server's own, not a pipeline's. What it returns may be a secret.
func (c *Catalog) Resolve(text string) (string, error) {
	if err := checkReferences(text); err != nil {
		return "", err
	}
	return c.resolve(text)
}
