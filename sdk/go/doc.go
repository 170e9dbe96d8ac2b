package limenauth
